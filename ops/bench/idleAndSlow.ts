// What 2,000 idle connections and 200 slow ones (an octet a second of a message, some within a TLS handshake) leave of the rate of a
// sender who behaves, and what they cost in memory:
//   node ops/bench/idleAndSlow.ts    1 when it is less than it must be
import { execFile } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { startScratchGateway } from '../scratchGateway.ts'
import { median } from './median.ts'
import { watchResidentMemory } from './residentMemory.ts'

const run = promisify(execFile)
const idlers = 2000
const slowOnes = 200

/** Two descriptors of each, one here and one there. */
const limits = {
  SEALPOST_LIMITS_SMTP_SESSIONS: '4000',
  SEALPOST_LIMITS_SESSIONS_PER_CLIENT: '4000',
  SEALPOST_LIMITS_MESSAGES_PER_MINUTE: '1000000',
}

/** The head of a ClientHello of 16 KiB. */
const hello = Buffer.concat([Buffer.from([0x16, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xfb, 3, 3]), Buffer.alloc(16_384)])

const opened = (port: number, greets: boolean) =>
  new Promise<Socket>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1').on('error', reject)
    socket.once(greets ? 'data' : 'connect', () => resolve(socket.resume()))
  })

/** As many at a time as a listener's queue surely takes. */
const many = async (count: number, open: (at: number) => Promise<Socket>) => {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const at = sockets.length
    sockets.push(...(await Promise.all(Array.from({ length: Math.min(100, count - at) }, (_, i) => open(at + i)))))
  }
  return sockets
}

/** Of the rate without them. */
const must = 0.8

/** Prints the table; `messages` a measurement. Whether as much of the rate is left as must be. */
export const idleAndSlow = async (messages: number): Promise<boolean> => {
  const gateway = await startScratchGateway({ env: limits })
  const { address } = await gateway.createMailbox('--name', 'busy')
  const { smtp, smtps } = gateway.ports
  const memory = watchResidentMemory([gateway.process.pid ?? 0])
  const rate = async () => {
    const args = [
      join(import.meta.dirname, 'smtpLoad.ts'),
      String(smtp),
      address,
      '4',
      String(messages),
      '10240',
      'text',
    ]
    const { seconds } = JSON.parse((await run(process.execPath, args)).stdout) as { seconds: number }
    return messages / seconds
  }
  const rates = async () => median([await rate(), await rate(), await rate()])
  await rate()
  const alone = await rates()
  memory.take()
  await delay(2000)
  const before = memory.take()
  const idle = await many(idlers, () => opened(smtp, true))
  await delay(2000)
  const beside = memory.take()
  const slow = await many(slowOnes, async (at) => {
    if (at % 4 === 0) return opened(smtps, false)
    const socket = await opened(smtp, true)
    socket.write(`EHLO slow.example\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<${address}>\r\nDATA\r\n`)
    return socket
  })
  let told = 0
  const trickling = setInterval(() => {
    const next = hello.subarray(told, ++told)
    for (const [at, socket] of slow.entries()) socket.write(at % 4 === 0 ? next : 'x')
  }, 1000)
  await delay(2000)
  const crowded = await rates()
  const held = [...idle, ...slow].filter((socket) => !socket.destroyed && !socket.readableEnded).length
  clearInterval(trickling)
  for (const socket of [...idle, ...slow]) socket.destroy()
  await delay(1000)
  const after = await rates()
  memory.stop()
  await gateway.stop()
  gateway.remove()
  const left = Math.round((crowded / alone) * 100) / 100
  console.log(
    `\nBeside ${idlers} idle and ${slowOnes} slow connections (${held} held to the end): ${Math.round(crowded)} of`,
  )
  console.log(
    `${Math.round(alone)} messages a second, ${left.toFixed(2)} × (must: ${must.toFixed(2)}); ${Math.round(after)} once they had gone.`,
  )
  console.log(
    `2,000 idle connections: ${beside - before} MiB, ${(((beside - before) * 1024) / idlers).toFixed(0)} KiB each.`,
  )
  return left >= must
}

if (import.meta.main && !(await idleAndSlow(600))) process.exitCode = 1
