import { connect, type Socket } from 'node:net'

/** A port of 127.0.0.1, and the protocol whose STARTTLS is spoken there before TLS. */
export type TlsPort = { readonly port: number; readonly starttls?: 'smtp' | 'pop3' | undefined }

export type BeforeTls = {
  readonly socket: Socket
  /** So many octets, in the order in which they come; rejects when the connection is over before. */
  take(count: number): Promise<Buffer>
  /** Leaves what comes from now on to another reader. */
  release(): Socket
  /** Resolves when the server has closed. */
  readonly closed: Promise<void>
}

/** A connection on which TLS comes next. */
export const beforeTls = async ({ port, starttls }: TlsPort): Promise<BeforeTls> => {
  let [held, over, wake] = [Buffer.alloc(0), false, () => {}]
  const socket = connect({ port, host: '127.0.0.1' }).on('error', () => {})
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      over = true
      resolve()
      wake()
    })
  })
  const read = (chunk: Buffer) => {
    held = Buffer.concat([held, chunk])
    wake()
  }
  socket.on('data', read)
  const until = async (enough: () => boolean) => {
    while (!enough()) {
      if (over) throw new Error('the server closed')
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  const take = async (count: number) => {
    await until(() => held.length >= count)
    const taken = held.subarray(0, count)
    held = held.subarray(count)
    return taken
  }
  const line = async () => {
    await until(() => held.includes('\n'))
    return (await take(held.indexOf('\n') + 1)).toString('latin1')
  }
  if (starttls) await line()
  if (starttls === 'smtp') {
    socket.write('EHLO client.test\r\n')
    while (!(await line()).startsWith('250 '));
  }
  if (starttls) {
    socket.write(starttls === 'smtp' ? 'STARTTLS\r\n' : 'STLS\r\n')
    await line()
  }
  return { socket, take, release: () => socket.off('data', read), closed }
}
