import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A stretch of wire between an SMTP client and a server: everything passes as it is, and is remembered. */
export type SmtpTap = {
  readonly port: number
  /** What clients sent as the content of mails, by RFC 5321 §4.5.2 and RFC 3030 §2 alone, of connections that are closed or not. */
  contents(): readonly Buffer[]
  /** Command words that were used, such as BDAT. */
  commands(): ReadonlySet<string>
  close(): Promise<void>
}

export const startSmtpTap = async (server: number): Promise<SmtpTap> => {
  const said: Buffer[][] = []
  const sockets = new Set<Socket>()
  // Exim ends its side before it has heard the last answers.
  const listener = createServer({ allowHalfOpen: true }, (client) => {
    const pieces: Buffer[] = []
    said.push(pieces)
    const onward = connect({ port: server, host: '127.0.0.1', allowHalfOpen: true })
    for (const socket of [client, onward]) sockets.add(socket.on('error', () => socket.destroy()))
    client.on('data', (piece: Buffer) => pieces.push(piece))
    client.pipe(onward)
    onward.pipe(client)
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const read = () => said.map((pieces) => readSmtp(Buffer.concat(pieces)))
  return {
    port: (listener.address() as AddressInfo).port, // a TCP listener's address is never a string
    contents: () => read().flatMap(({ contents }) => contents),
    commands: () => new Set(read().flatMap(({ commands }) => commands)),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}

/** One side of a conversation that went well, read with nothing but the two rules of how content ends. */
const readSmtp = (octets: Buffer) => {
  const contents: Buffer[] = []
  const commands: string[] = []
  let chunks: Buffer[] = []
  for (let at = 0; ;) {
    const end = octets.indexOf('\r\n', at)
    if (end < 0) return { contents, commands }
    const [verb = '', size, last] = octets.toString('latin1', at, end).toUpperCase().split(' ')
    commands.push(verb)
    at = end + 2
    if (verb === 'DATA') {
      // The CRLF before the dot may be that of the command.
      const dot = octets.indexOf('\r\n.\r\n', at - 2)
      if (dot < 0) return { contents, commands }
      contents.push(unstuffed(octets.subarray(at, dot + 2)))
      at = dot + 5
    } else if (verb === 'BDAT') {
      chunks.push(octets.subarray(at, at + Number(size)))
      at += Number(size)
      if (last === 'LAST') {
        contents.push(Buffer.concat(chunks))
        chunks = []
      }
    }
  }
}

const unstuffed = (content: Buffer) =>
  Buffer.from(`\r\n${content.toString('latin1')}`.replaceAll('\r\n.', '\r\n').slice(2), 'latin1')
