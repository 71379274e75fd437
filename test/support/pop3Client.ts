import { say } from './said.ts'
import { openWire, type Wire, type WireOptions } from './wire.ts'

/** A POP3 client that gives a message's octets exactly as they came, dot-stuffing undone. */
export type Pop3Client = {
  readonly wire: Wire
  command(line: string): Promise<string>
  /** A command with a multi-line reply (RFC 1939 §3); rejects when it is refused. */
  list(line: string): Promise<Buffer>
  login(user: string, password: string): Promise<string>
  retrieve(number: number): Promise<Buffer>
  quit(): Promise<string>
}

const unstuffed = (reply: Buffer) => {
  const text = reply.subarray(0, -3).toString('latin1') // less the terminating dot and its line end
  return Buffer.from((text.startsWith('.') ? text.slice(1) : text).replaceAll('\r\n.', '\r\n'), 'latin1')
}

export const pop3Client = async (port: number, { tls = true, ...from }: WireOptions = {}): Promise<Pop3Client> => {
  const wire = await openWire(port, { tls, ...from })
  await wire.line()
  const command = (line: string) => {
    wire.send(`${line}\r\n`)
    return wire.line()
  }
  const list = async (line: string) => {
    const status = await command(line)
    if (!status.startsWith('+OK')) throw new Error(status)
    const lines: Buffer[] = []
    for (;;) {
      // Only CRLF.CRLF ends the reply; the first CRLF of it may be the status line's.
      const line = await wire.until('\r\n')
      lines.push(line)
      if (line.length === 3 && line[0] === 0x2e) return unstuffed(Buffer.concat(lines))
    }
  }
  return {
    wire,
    command,
    list,
    async login(user, password) {
      say(user, password)
      const answer = await command(`USER ${user}`)
      return answer.startsWith('+OK') ? command(`PASS ${password}`) : answer
    },
    retrieve: (number) => list(`RETR ${number}`),
    async quit() {
      const answer = await command('QUIT')
      wire.destroy()
      return answer
    },
  }
}
