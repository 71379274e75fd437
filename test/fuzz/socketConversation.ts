import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { textOf } from './octets.ts'

type Conversation = {
  readonly port: number
  readonly tls: boolean
  /** The loopback address to come from. */
  readonly from: string
  readonly pieces: readonly Buffer[]
  /** Milliseconds in which nothing is heard, after which the peer leaves. */
  readonly patience: number
}

/** Out of content, out of a challenge, and out of the session. */
const farewell = '\r\n.\r\nQUIT\r\nQUIT\r\n'
/** Says these pieces, whatever is answered, and goodbye; gives everything that was heard. */
export const socketConversation = async ({ port, tls, from, pieces, patience }: Conversation): Promise<string> => {
  const heard: Buffer[] = []
  const plain = connect({ port, host: '127.0.0.1', localAddress: from, noDelay: true })
  const socket: Socket = tls ? connectTls({ socket: plain, rejectUnauthorized: false }) : plain
  for (const one of [plain, socket]) one.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => heard.push(chunk))
  socket.setTimeout(patience, () => socket.destroy())
  const closed = new Promise((resolve) => socket.once('close', resolve))
  for (const piece of pieces) {
    if (!socket.writable) break
    socket.write(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (socket.writable) socket.write(farewell)
  await closed
  plain.destroy()
  return textOf(Buffer.concat(heard))
}
