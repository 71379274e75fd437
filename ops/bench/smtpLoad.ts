// A client of its own process that sends mails over SMTP without TLS, for what smtp-source cannot send:
//   node ops/bench/smtpLoad.ts PORT RECIPIENT CONNECTIONS MESSAGES OCTETS text|dots|FILE
// Prints the seconds it took as JSON.
import { readFileSync } from 'node:fs'
import { smtpClient } from '../../test/support/smtpClient.ts'

const [port, recipient, connections, messages, octets, kind] = process.argv.slice(2)

const line =
  kind === 'dots' ? '..\r\n' : `${'The quick brown fox jumps over the lazy dog; '.repeat(2).slice(0, 74)}\r\n`
const body =
  kind === 'text' || kind === 'dots'
    ? Buffer.from(line.repeat(Math.ceil(Number(octets) / line.length)))
    : readFileSync(kind ?? '')
let left = Number(messages)

const send = async () => {
  const client = await smtpClient(Number(port))
  while (left-- > 0) {
    for (const command of ['MAIL FROM:<a@example.com>', `RCPT TO:<${recipient ?? ''}>`, 'DATA'])
      if (!/^[23]/.test(await client.command(command))) throw new Error(`${command} was refused`)
    // The lines are what stands on the wire: `..` is one dot, stuffed.
    client.wire.send(body)
    const reply = await client.command('.')
    if (!reply.startsWith('250')) throw new Error(reply)
  }
  await client.quit()
}

const started = performance.now()
await Promise.all(Array.from({ length: Number(connections) }, send))
console.log(JSON.stringify({ seconds: (performance.now() - started) / 1000 }))
