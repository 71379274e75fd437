import { createServer } from 'node:net'
import type { Ports } from '../../ops/scratchGateway.ts'

const names = ['smtp', 'smtps', 'submission', 'submissions', 'pop3', 'pop3s', 'admin'] as const

/** Below those from which clients' own ports are taken: a gateway that is away must find its ports free when it comes back. */
const [lowest, highest] = [12_000, 30_000]
let last = lowest + (process.pid % 1_000) * 18

const isFree = (port: number) =>
  new Promise<boolean>((resolve) => {
    const server = createServer().once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })

const nextPort = async (): Promise<number> => {
  for (;;) {
    // Taken before it is tried: rounds may look for theirs at the same time.
    const port = (last = last < highest ? last + 1 : lowest)
    if (await isFree(port)) return port
  }
}

/** Ports for a gateway that ends and comes back: no other round of this process gets them. */
export const lastingPorts = async (): Promise<Ports> => {
  const ports: [string, number][] = []
  for (const name of names) ports.push([name, await nextPort()])
  // Each name has one.
  return Object.fromEntries(ports) as Ports
}
