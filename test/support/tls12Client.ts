import { createHash, randomBytes } from 'node:crypto'
import { beforeTls, type TlsPort } from './beforeTls.ts'
import { agreement, join, prf, recordOf, sealing, u16, u24, u8 } from './tls12Crypto.ts'

/**
 * A TLS 1.2 client (RFC 5246) that says what no library would say: an offer of compression, another handshake in the midst of
 * a session, a record that no key opens. It verifies nobody and takes no notice of what is sent to it encrypted.
 */
export type Tls12Client = {
  /** What the server chose, or the alert that it refused with. */
  readonly chosen: Chosen
  /** Finishes the handshake; rejects when the server does not. */
  finish(): Promise<void>
  /** Asks for another handshake, under the keys of this one. */
  renegotiate(): void
  /** Sends a record that has been changed on the way. */
  garble(): void
  /** Resolves when the server has closed. */
  readonly closed: Promise<void>
  destroy(): void
}

export type Chosen = { readonly cipher: number; readonly compression: number } | { readonly alert: number }

export type Offer = TlsPort & {
  /** DEFLATE before none (RFC 3749). */
  readonly compression?: boolean
  /** That it has failed with a newer version (RFC 7507). */
  readonly fallback?: boolean
}

/** Of records. */
const [changeCipherSpec, alert, handshake] = [20, 21, 22]
/** Of handshake messages. */
const [clientHello, serverHello, serverKeyExchange, serverHelloDone, clientKeyExchange, finished] = [
  1, 2, 12, 14, 16, 20,
]
/** ECDHE_ECDSA and ECDHE_RSA, each with AES_128_GCM_SHA256. */
const suites = [0xc02b, 0xc02f]
const fallbackScsv = 0x5600
const deflate = 1

const sized8 = (content: Buffer) => join(u8(content.length), content)
const sized16 = (content: Buffer) => join(u16(content.length), content)
const message = (type: number, content: Buffer) => join(u8(type), u24(content.length), content)

const extensions = join(
  ...[
    [10, sized16(join(u16(29), u16(23)))], // supported_groups: x25519, and secp256r1 for certificates
    [13, sized16(join(u16(0x0403), u16(0x0804), u16(0x0401)))], // signature_algorithms: ECDSA, RSA-PSS, RSA
    [0xff01, sized8(Buffer.alloc(0))], // renegotiation_info
  ].map(([type, content]) => join(u16(type as number), sized16(content as Buffer))),
)

const hello = (random: Buffer, { compression, fallback }: Pick<Offer, 'compression' | 'fallback'>) => {
  const ciphers = [...suites, ...(fallback ? [fallbackScsv] : [])].map(u16)
  const methods = Buffer.from(compression ? [deflate, 0] : [0])
  const session = Buffer.alloc(0)
  const parts = [u16(0x0303), random, sized8(session), sized16(join(...ciphers)), sized8(methods), sized16(extensions)]
  return message(clientHello, join(...parts))
}

type Answer =
  | { readonly refusal: { readonly alert: number } }
  | { readonly refusal?: undefined; readonly said: Buffer; of(type: number): Buffer }

type TlsRecord = { readonly type: number; readonly content: Buffer }

/** What the server says in clear up to its ServerHelloDone, or its alert. */
const answerOf = async (record: () => Promise<TlsRecord>): Promise<Answer> => {
  let [said, read] = [Buffer.alloc(0), 0]
  const messages = new Map<number, Buffer>()
  while (!messages.has(serverHelloDone)) {
    const { type, content } = await record()
    if (type === alert) return { refusal: { alert: content[1] ?? -1 } }
    said = join(said, content)
    for (let start = read + 4; said.length >= start; start = read + 4) {
      const end = start + said.readUIntBE(read + 1, 3)
      if (said.length < end) break
      messages.set(said[read] ?? -1, said.subarray(start, end))
      read = end
    }
  }
  return { said, of: (type: number) => messages.get(type) ?? Buffer.alloc(0) }
}

/** Says its offer, and hears the answer to it. */
export const tls12Client = async (offer: Offer): Promise<Tls12Client> => {
  const { socket, take, closed } = await beforeTls(offer)
  const record = async () => {
    const head = await take(5)
    return { type: head.readUInt8(0), content: await take(head.readUInt16BE(3)) }
  }
  const random = randomBytes(32)
  const ours = hello(random, offer)
  socket.write(recordOf(handshake, ours))
  const answer = await answerOf(record)
  let sealed: (type: number, content: Buffer) => Buffer = () => {
    throw new Error('the handshake is not finished')
  }
  const finish = async () => {
    if (answer.refusal) throw new Error(`the server refused with alert ${answer.refusal.alert}`)
    const theirRandom = answer.of(serverHello).subarray(2, 34)
    const { publicKey, premaster } = agreement(answer.of(serverKeyExchange))
    const master = prf(premaster, 'master secret', join(random, theirRandom), 48)
    sealed = sealing(prf(master, 'key expansion', join(theirRandom, random), 40))
    const exchange = message(clientKeyExchange, sized8(publicKey))
    const digest = createHash('sha256')
      .update(join(ours, answer.said, exchange))
      .digest()
    const last = message(finished, prf(master, 'client finished', digest, 12))
    socket.write(join(recordOf(handshake, exchange), recordOf(changeCipherSpec, u8(1)), sealed(handshake, last)))
    for (const expected of [changeCipherSpec, handshake])
      if ((await record()).type !== expected) throw new Error('the server did not finish')
  }
  return {
    chosen: answer.refusal ?? chosenIn(answer.of(serverHello)),
    finish,
    renegotiate: () => void socket.write(sealed(handshake, hello(random, {}))),
    garble: () => {
      const changed = sealed(handshake, hello(random, {}))
      changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1)
      socket.write(changed)
    },
    closed,
    destroy: () => void socket.destroy(),
  }
}

const chosenIn = (hello: Buffer): Chosen => {
  const afterSession = 35 + (hello[34] ?? 0)
  return { cipher: hello.readUInt16BE(afterSession), compression: hello.readUInt8(afterSession + 2) }
}
