import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type DetailedPeerCertificate, type SecureContext, type TLSSocket } from 'node:tls'
import { type Dialect, startTls } from './startTls.ts'

/** Where to look, and as whom. */
export type Place = {
  readonly host: string
  readonly port: number
  /** The name that the peer believes to reach. */
  readonly name: string
  /** Undefined: TLS from the first octet. */
  readonly startTls: Dialect | undefined
}

export type ChainLink = { readonly subject: string; readonly issuer: string; readonly expires: string }

/** What a peer is shown. */
export type Seen = {
  readonly protocol: string
  readonly cipher: string
  readonly names: readonly string[]
  /** ISO 8601. */
  readonly expires: string
  /** As it was sent, the server's own first, and what the peer itself has put behind it. */
  readonly chain: readonly ChainLink[]
  /** OpenSSL's word for why the chain does not lead to an authority that the peer trusts; undefined when it does. */
  readonly untrusted: string | undefined
  /** Whether it is for the name that the peer believes to reach. */
  readonly isForName: boolean
}

/** Milliseconds for all of it. */
const patience = 15_000

/** Connects as a peer does, and looks at what it is shown. Rejects with what kept it from TLS. */
export const look = async (place: Place, context: SecureContext): Promise<Seen> => {
  const socket = connectPlain({ host: place.host, port: place.port })
  const timer = setTimeout(() => socket.destroy(new Error('it does not answer in time')), patience)
  try {
    await once(socket, 'connect')
    if (place.startTls) await Promise.race([startTls(socket, place.startTls), closed(socket)])
    const secure = connect({
      socket,
      ...(isIP(place.name) === 0 && { servername: place.name }),
      secureContext: context,
      rejectUnauthorized: false,
      // Who is trusted is one question, whose it is another.
      checkServerIdentity: () => undefined,
    })
    await Promise.race([once(secure, 'secureConnect'), closed(secure)])
    const seen = seenOn(secure, place.name)
    await farewell(secure)
    return seen
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}

/** Milliseconds for a server to see that its peer has gone: one that was cut off may wait for it. */
const patienceAtEnd = 500

const farewell = async (socket: TLSSocket) => {
  socket.on('error', () => socket.destroy())
  socket.resume().end()
  const gone = once(socket, 'close').catch(() => undefined)
  await Promise.race([gone, delay(patienceAtEnd, undefined, { ref: false })])
}

const closed = async (socket: Socket): Promise<never> => {
  await once(socket, 'close')
  throw new Error('it closes the connection')
}

const seenOn = (socket: TLSSocket, name: string): Seen => {
  const own = socket.getPeerCertificate(true)
  const x509 = new X509Certificate(own.raw)
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher().standardName,
    names: visible(x509.subjectAltName ?? '')
      .split(', ')
      .map((one) => one.replace(/^(DNS|IP Address):/, '')),
    expires: x509.validToDate.toISOString(),
    chain: chainOf(own),
    // Node's types say Error: it is the code.
    untrusted: socket.authorized ? undefined : String(socket.authorizationError),
    isForName: (isIP(name) === 0 ? x509.checkHost(name, { subject: 'never' }) : x509.checkIP(name)) !== undefined,
  }
}

const longestChain = 10

const chainOf = (own: DetailedPeerCertificate): readonly ChainLink[] => {
  const links: ChainLink[] = []
  for (let at: DetailedPeerCertificate | undefined = own; at && links.length < longestChain; at = next(at)) {
    const { subject, issuer, validToDate } = new X509Certificate(at.raw)
    links.push({ subject: oneLine(subject), issuer: oneLine(issuer), expires: validToDate.toISOString() })
  }
  return links
}

const next = ({ issuerCertificate, fingerprint256 }: Partial<DetailedPeerCertificate>) =>
  issuerCertificate?.fingerprint256 === fingerprint256 ? undefined : issuerCertificate

const oneLine = (name: string | undefined) => visible((name ?? '').split('\n').reverse().join(', '))

/** What a server has in its certificate is printed: nothing in it may steer a terminal, or turn the writing round. */
const visible = (text: string) => text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gv, '?')
