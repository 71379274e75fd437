import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { freePorts } from '../../ops/scratchGateway.ts'
import { programPath } from './peers.ts'

/** A name server that knows these records, and asks nobody else. */
export const startDnsmasq = async (
  ...records: readonly string[]
): Promise<{ readonly address: string; stop(): Promise<void> }> => {
  const { smtp: port } = await freePorts()
  const args = ['--no-daemon', '--no-resolv', '--no-hosts', '--bind-interfaces', '--listen-address=127.0.0.1', `--port=${port}`, '--conf-file=/dev/null', '--local=/test/', '--user=', ...records] // prettier-ignore
  const child = spawn(programPath('dnsmasq') ?? 'dnsmasq', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  process.once('exit', () => child.kill('SIGKILL'))
  for (let said = ''; !said.includes('started');) {
    const [chunk] = (await once(child.stderr, 'data')) as unknown as readonly [Buffer]
    said += chunk.toString()
  }
  // A test that fails must not be held up by it.
  child.unref()
  ;(child.stderr as unknown as Socket).unref() // A child's pipes are sockets, whatever their type says.
  return {
    address: `127.0.0.1:${port}`,
    stop: async () => {
      child.ref()
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}
