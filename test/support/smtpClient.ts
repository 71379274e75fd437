import { say, sayMail } from './said.ts'
import { openWire, type Wire, type WireOptions } from './wire.ts'

/** An SMTP client that sends a mail's octets exactly, dot-stuffed (RFC 5321 §4.5.2) and nothing else. */
export type SmtpClient = {
  readonly wire: Wire
  /** Sends a command line and gives the last line of its reply. */
  command(line: string): Promise<string>
  /** One transaction; gives the reply to the end of data, or the first refusal. */
  deliver(to: string, bytes: Uint8Array, from?: string): Promise<string>
  /** The same in two chunks (RFC 3030); gives the reply to the last, or the first refusal. */
  deliverInChunks(to: string, bytes: Uint8Array): Promise<string>
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
  { starttls = false, ...options }: WireOptions & { readonly starttls?: boolean } = {},
): Promise<SmtpClient> => {
  const wire = await openWire(port, options)
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
  /** Gives the first refusal, if there is one. */
  const begin = async (sender: string, to: string) => {
    say(sender, to)
    for (const line of [`MAIL FROM:<${sender}>`, `RCPT TO:<${to}>`]) {
      const answer = await command(line)
      if (!answer.startsWith('2')) return answer
    }
    return undefined
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
      const refused = await begin(from, to)
      if (refused !== undefined) return refused
      const answer = await command('DATA')
      if (!answer.startsWith('3')) return answer
      sayMail(bytes)
      wire.send(dotStuffed(bytes))
      wire.send('.\r\n')
      return reply()
    },
    async deliverInChunks(to, bytes) {
      const refused = await begin('sender@example.com', to)
      if (refused !== undefined) return refused
      sayMail(bytes)
      const half = bytes.length >> 1
      wire.send(`BDAT ${half}\r\n`)
      wire.send(bytes.subarray(0, half))
      const answer = await reply()
      if (!answer.startsWith('2')) return answer
      wire.send(`BDAT ${bytes.length - half} LAST\r\n`)
      wire.send(bytes.subarray(half))
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
