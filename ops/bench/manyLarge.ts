// Resident memory of a gateway that takes many large mails at once; 1 when it is more than it must be:
//   node ops/bench/manyLarge.ts [MAILS] [MB]
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startScratchGateway } from '../scratchGateway.ts'
import { watchResidentMemory } from './residentMemory.ts'

/** MiB that a gateway may hold while it takes fifty mails of 150 MB: 300 MB. */
const must = 286

const line = `${'The quick brown fox jumps over the lazy dog; '.repeat(2).slice(0, 74)}\r\n`
const block = Buffer.from(line.repeat(862)) // about 64 KiB

type Mail = { readonly port: number; readonly recipient: string; readonly octets: number }

/** One mail over a connection of its own, as fast as it is taken; gives the reply to its end. */
const send = async ({ port, recipient, octets }: Mail): Promise<string> => {
  const socket = connect(port, '127.0.0.1')
  const lines = createInterface({ input: socket, crlfDelay: Infinity })[Symbol.asyncIterator]()
  const reply = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error('the connection was closed')
    return value[3] === '-' ? reply() : value
  }
  const expect = async (command: string) => {
    socket.write(`${command}\r\n`)
    const answer = await reply()
    if (!/^[23]/.test(answer)) throw new Error(`${command}: ${answer}`)
    return answer
  }
  await reply()
  for (const command of ['EHLO bench.example', 'MAIL FROM:<a@example.com>', `RCPT TO:<${recipient}>`, 'DATA'])
    await expect(command)
  for (let sent = 0; sent < octets; sent += block.length) if (!socket.write(block)) await once(socket, 'drain')
  const answer = await expect('.')
  socket.end('QUIT\r\n')
  return answer
}

/** The system's own record of the most that a process has held, MiB. */
const highWater = (pid: number) =>
  Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024)

/** Sends them all at once. Whether it stays under the bound. */
export const manyLarge = async (mails: number, megabytes: number): Promise<boolean> => {
  const data = mkdtempSync(join(tmpdir(), 'sealpost-large-'))
  const gateway = await startScratchGateway({ data, env: { SEALPOST_GATEWAY_LOG_LEVEL: 'warn' } })
  const pid = gateway.process.pid ?? 0
  const memory = watchResidentMemory([pid])
  try {
    const { address } = await gateway.createMailbox('--name', 'large')
    const idle = memory.take()
    const started = performance.now()
    const mail = { port: gateway.ports.smtp, recipient: address, octets: megabytes * 1e6 }
    await Promise.all(Array.from({ length: mails }, () => send(mail)))
    const seconds = (performance.now() - started) / 1000
    const peak = Math.max(memory.take(), highWater(pid))
    const rate = (mails * megabytes) / seconds
    console.log(
      `\n${mails} mails of ${megabytes} MB at once: ${peak} MiB at most (must: under ${must}; ${idle} before), ${rate.toFixed(0)} MB/s.`,
    )
    return peak < must
  } finally {
    memory.stop()
    await gateway.stop()
    gateway.remove()
  }
}

if (import.meta.main) {
  const [mails = '50', megabytes = '150'] = process.argv.slice(2)
  if (!(await manyLarge(Number(mails), Number(megabytes)))) process.exitCode = 1
}
