import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { connect, type ConnectionOptions } from 'node:tls'
import { commandVariables } from '../config/commandVariables.ts'
import { Secret } from '../core/secret.ts'
import { knownAuthorities } from '../tls/authorities.ts'
import { failed } from './client.ts'
import { type Given, type Io, UsageError } from './command.ts'
import { secretIn } from './passwordFile.ts'
import { notTheCertificate, pinnedTo, type Place } from './place.ts'

/** Milliseconds within which a gateway has to show its certificate. */
const showWithin = 10_000

/**
 * The gateway that the options or the environment name; undefined when they name none. Throws `UsageError` for what cannot
 * be meant: a token goes to nobody whose certificate is not verified.
 */
export const remotePlace = (given: Given, io: Io): Place | undefined => {
  const said = (name: Named) => saidOf(name, given, io)
  const text = said('url')
  if (text === undefined) {
    const alone = ['token-file', 'ca', 'fingerprint'].find((name) => given.optional(name) !== undefined)
    if (alone !== undefined) throw new UsageError(`--${alone} is for the gateway that --url names`)
    if (io.env[commandVariables.token])
      throw new UsageError(`${commandVariables.token} is for the gateway that --url or ${commandVariables.url} names`)
    return undefined
  }
  const url = urlIn(text)
  const token = tokenOf(given, io)
  const [ca, fingerprint] = [said('ca'), said('fingerprint')]
  if (ca !== undefined && fingerprint !== undefined) throw new UsageError('Give --ca or --fingerprint, not both')
  return {
    url: url.origin,
    token,
    headers: {},
    trust: trustIn(url, {
      ca: ca && secretIn(ca, io.cwd, 'certificate'),
      fingerprint: fingerprint && digestIn(fingerprint),
    }),
    says: {
      nobody: (cause) => `Nobody answers at ${url.origin} (${codeOf(cause)}).`,
      another: (cause) =>
        cause.message === notTheCertificate
          ? `What answers at ${url.origin} has another certificate than the one of --fingerprint.`
          : `The certificate at ${url.origin} is not trusted: ${cause.message}. Give --ca with a file, or --fingerprint with what the gateway itself says when it starts.`,
      refused: `The gateway at ${url.origin} does not take the token: it is not one of its, or revoked, or expired.`,
    },
  }
}

type Named = 'url' | 'ca' | 'fingerprint'

/** A variable that is empty says nothing. */
const saidOf = (name: Named, given: Given, { env }: Io) =>
  given.optional(name) ?? (env[commandVariables[name]] || undefined)

/** Whether a gateway is named, which may be on another machine. */
export const isElsewhere = (given: Given, io: Io): boolean => saidOf('url', given, io) !== undefined

/** `https://host:port`, or with `/v1` as the gateway prints it. */
const urlIn = (text: string): URL => {
  const url = URL.parse(text)
  if (url?.protocol !== 'https:') throw new UsageError('--url must be https://HOST:PORT')
  const rest = url.username + url.password + url.search + url.hash + url.pathname.replace(/^(\/v1)?\/?$/, '')
  // Not repeated: there may be a password in it.
  if (rest !== '') throw new UsageError('--url must be https://HOST:PORT and nothing more')
  return url
}

const tokenOf = (given: Given, io: Io): Secret => {
  const file = given.optional('token-file')
  const token = file === undefined ? io.env[commandVariables.token] : secretIn(file, io.cwd, 'token').trim()
  if (!token) throw new UsageError(`A token is missing: --token-file or ${commandVariables.token}`)
  if (!/^[\x21-\x7e]+$/.test(token)) throw failed('What was given as the token is none')
  return new Secret(token)
}

/** As the gateway prints it, or without the colons: lower-case hexadecimal. */
const digestIn = (text: string): string => {
  const digest = text.replaceAll(':', '').toLowerCase()
  if (!/^[0-9a-f]{64}$/.test(digest)) throw new UsageError('--fingerprint must be a SHA-256, 64 hexadecimal digits')
  return digest
}

type Trusted = { readonly ca: string | undefined; readonly fingerprint: string | undefined }

const trustIn = (url: URL, { ca, fingerprint }: Trusted) => {
  if (ca !== undefined) return () => Promise.resolve({ ca })
  if (fingerprint === undefined) return () => Promise.resolve({ ca: knownAuthorities() })
  let pinned: Promise<ConnectionOptions> | undefined
  return () => (pinned ??= shownAt(url).then((shown) => pinnedTo(accepted(shown, fingerprint))))
}

const accepted = (shown: X509Certificate, fingerprint: string) => {
  if (shown.fingerprint256.replaceAll(':', '').toLowerCase() !== fingerprint) throw new Error(notTheCertificate)
  return shown.toString()
}

/** The certificate that is shown there, whoever shows it. Nothing is sent to him. */
const shownAt = (url: URL): Promise<X509Certificate> => {
  const { promise, resolve, reject } = Promise.withResolvers<X509Certificate>()
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const name = isIP(host) === 0 ? { servername: host } : {}
  const socket = connect({ host, port: Number(url.port || 443), rejectUnauthorized: false, ...name }, () => {
    const certificate = socket.getPeerX509Certificate()
    socket.destroy()
    if (certificate) resolve(certificate)
    else reject(new Error('It shows no certificate'))
  })
  socket.setTimeout(showWithin, () => socket.destroy(new Error('It does not speak TLS')))
  socket.once('error', reject)
  return promise
}

/** Of several addresses that were tried none has a message. */
const codeOf = (cause: Error) => ('code' in cause ? String(cause.code) : cause.message)
