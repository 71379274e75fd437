import { say, sayMail } from './said.ts'
import { openWire, type Wire } from './wire.ts'

/** An SMTP client that sends a mail's octets exactly, dot-stuffed (RFC 5321 §4.5.2) and nothing else. */
export type SmtpClient = {
  readonly wire: Wire
  /** Sends a command line and gives the last line of its reply. */
  command(line: string): Promise<string>
  /** One transaction; gives the reply to the end of data, or the first refusal. */
  deliver(to: string, bytes: Uint8Array, from?: string): Promise<string>
  /** AUTH PLAIN; gives the last line of the reply. */
  login(name: string, password: string): Promise<string>
  quit(): Promise<void>
}

/** What a DATA command can carry of `bytes`: a mail that does not end in CRLF gets one. */
export const asSent = (bytes: Buffer): Buffer =>
  bytes.length === 0 || bytes.subarray(-2).toString('latin1') === '\r\n'
    ? bytes
    : Buffer.concat([bytes, Buffer.from('\r\n')])

export const dotStuffed = (bytes: Uint8Array): Buffer => {
  const text = asSent(Buffer.from(bytes)).toString('latin1')
  return Buffer.from((text.startsWith('.') ? '.' : '') + text.replaceAll('\r\n.', '\r\n..'), 'latin1')
}

const argumentOf = (line: string) => (line.includes(' ') ? [line, line.slice(line.indexOf(' ') + 1)] : [])

export const smtpClient = async (
  port: number,
  { starttls = false, tls = false, from = '127.0.0.1' } = {},
): Promise<SmtpClient> => {
  const wire = await openWire(port, { tls, from })
  const reply = async () => {
    for (;;) {
      const line = await wire.line()
      if (line[3] !== '-') return line
    }
  }
  const command = (line: string) => {
    say(...argumentOf(line))
    wire.send(`${line}\r\n`)
    return reply()
  }
  await reply()
  await command('EHLO client.example')
  if (starttls) {
    await command('STARTTLS')
    await wire.startTls()
    await command('EHLO client.example')
  }
  return {
    wire,
    command,
    async deliver(to, bytes, from = 'sender@example.com') {
      say(from, to)
      for (const [line, wanted] of [
        [`MAIL FROM:<${from}>`, '2'],
        [`RCPT TO:<${to}>`, '2'],
        ['DATA', '3'],
      ] as const) {
        const answer = await command(line)
        if (!answer.startsWith(wanted)) return answer
      }
      sayMail(bytes)
      wire.send(dotStuffed(bytes))
      wire.send('.\r\n')
      return reply()
    },
    login: (name, password) => {
      say(name, password)
      return command(`AUTH PLAIN ${Buffer.from(`\0${name}\0${password}`).toString('base64')}`)
    },
    async quit() {
      await command('QUIT')
      wire.destroy()
    },
  }
}
