import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'

/** A raw connection that speaks in octets: what a test sends is what the peer gets, and the other way round. */
export type Wire = {
  send(octets: Uint8Array | string): void
  /** Everything up to and with the first `end`; rejects if the connection closes before. */
  until(end: string): Promise<Buffer>
  line(): Promise<string>
  startTls(): Promise<void>
  /** Resolves when the peer has closed. */
  closed(): Promise<void>
  destroy(): void
}

/** What a client brings to the handshake: its key and certificate, an earlier session. */
export type ClientTls = Pick<ConnectionOptions, 'key' | 'cert' | 'session' | 'maxVersion' | 'servername'>

const secure = (socket: Socket, client: ClientTls) =>
  new Promise<Socket>((resolve, reject) => {
    const upgraded = connectTls({ ...client, socket, rejectUnauthorized: false }, () => {
      resolve(upgraded)
    })
    upgraded.once('error', reject)
  })

export type WireOptions = {
  /** TLS from the first octet. */
  readonly tls?: boolean
  /** The loopback address to come from: the gateway judges peers by their addresses. */
  readonly from?: string
  /** What is sent in clear before anything else, TLS too. */
  readonly first?: Uint8Array | string
  readonly client?: ClientTls
}

export const openWire = async (port: number, options: WireOptions = {}): Promise<Wire> => {
  const { tls = false, from = '127.0.0.1', first, client = {} } = options
  const plain = connect({ port, host: '127.0.0.1', localAddress: from })
  await new Promise((resolve, reject) => plain.once('connect', resolve).once('error', reject))
  plain.setNoDelay()
  if (first !== undefined) plain.write(first)
  let socket = plain
  let buffered: Buffer = Buffer.alloc(0)
  let over = false
  let wake = () => {}
  const listen = () => {
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk])
      wake()
    })
    const end = () => {
      over = true
      wake()
    }
    socket.on('close', end).on('end', end).on('error', end)
  }
  const change = () =>
    new Promise<void>((resolve) => {
      wake = resolve
    })
  const startTls = async () => {
    socket.removeAllListeners('data')
    socket = await secure(socket, client)
    listen()
  }
  if (tls) socket = await secure(plain, client)
  listen()

  const until = async (end: string) => {
    for (let searched = 0; ;) {
      const at = buffered.indexOf(end, Math.max(0, searched - end.length), 'latin1')
      if (at >= 0) {
        const found = buffered.subarray(0, at + end.length)
        buffered = buffered.subarray(at + end.length)
        return found
      }
      searched = buffered.length
      if (over)
        throw new Error(`the connection closed after ${JSON.stringify(buffered.toString('latin1').slice(-200))}`)
      await change()
    }
  }
  return {
    send: (octets) => {
      socket.write(octets)
    },
    until,
    line: async () => (await until('\r\n')).toString('latin1').slice(0, -2),
    startTls,
    closed: async () => {
      while (!over) await change()
    },
    destroy: () => {
      socket.destroy()
    },
  }
}
