import type { CredentialsFound } from '../../actors/pop3Replies.ts'
import { GatewayError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import { messageCredentials, passwordCredentials, type ProxyCredentials } from '../proxy/sasl.ts'
import { decodeBase64 } from '../wire/base64.ts'
import { decodeUtf8 } from '../wire/utf8.ts'

/** What a login is tried with. */
export type Credentials = { readonly user: string; readonly password: Secret }

/**
 * The credentials of one connection between the lines that bring them and the one attempt that they are for. They are
 * looked at only once TLS protects the connection, and never leave this but by `take`.
 */
export type CredentialsHolder = {
  user(name: Buffer): CredentialsFound
  pass(password: Buffer): CredentialsFound
  /** `AUTH mechanism [initial-response]`, RFC 5034 §4. */
  auth(argument: Buffer): CredentialsFound | 'awaited' | 'otherMechanism'
  /** The line after a challenge. */
  response(line: Buffer): CredentialsFound | 'cancelled' | 'otherMechanism'
  /** Hands them out once and forgets them. */
  take(): Credentials
  /** The same of what was `proxied`. */
  takeProxied(): ProxyCredentials
}

const mechanisms = ['PLAIN', 'XOAUTH2', 'OAUTHBEARER'] as const
type Mechanism = (typeof mechanisms)[number]

/** With `oauth` its mechanisms are taken too, for names that lead to another server. */
export const holdCredentials = (isSecure: () => boolean, oauth = false): CredentialsHolder => {
  let user = ''
  let password = new Secret('')
  let elsewhere: Buffer | undefined
  let proxied: ProxyCredentials | undefined
  let awaited: Mechanism = 'PLAIN'

  const message = (mechanism: Mechanism, base64: string): CredentialsFound | 'otherMechanism' => {
    const read = messageCredentials(mechanism, base64)
    if (read && isProxied(read.name)) {
      proxied = read
      return 'proxied'
    }
    if (mechanism !== 'PLAIN') return read ? 'otherMechanism' : 'malformed'
    const parsed = parsePlain(base64)
    if (!parsed) return 'malformed'
    user = parsed.user
    password = parsed.password
    return 'given'
  }
  return {
    user: (name) => {
      if (!isSecure()) return 'unread'
      const text = decodeUtf8(name)
      if (text === undefined) return 'malformed'
      elsewhere = isProxied(text) ? Buffer.from(name) : undefined
      if (elsewhere) return 'proxied'
      user = text
      return 'given'
    },
    pass: (secret) => {
      if (!isSecure()) return 'unread'
      if (elsewhere) {
        proxied = passwordCredentials('USER', elsewhere, secret)
        return proxied ? 'given' : 'malformed'
      }
      const text = decodeUtf8(secret)
      if (text === undefined) return 'malformed'
      password = new Secret(text)
      return 'given'
    },
    auth: (argument) => {
      if (!isSecure()) return 'unread'
      const [word, initial, more] = argument.toString('latin1').split(' ')
      const mechanism = mechanisms.find((name) => name === word?.toUpperCase())
      if (!mechanism || (mechanism !== 'PLAIN' && !oauth)) return 'otherMechanism'
      awaited = mechanism
      if (initial === undefined) return 'awaited'
      return more === undefined ? message(mechanism, initial) : 'malformed'
    },
    response: (line) => {
      if (!isSecure()) return 'unread'
      return line.length === 1 && line[0] === 0x2a ? 'cancelled' : message(awaited, line.toString('latin1'))
    },
    take: () => {
      const taken = { user, password }
      user = ''
      password = new Secret('')
      return taken
    },
    takeProxied: () => {
      const taken = proxied
      proxied = elsewhere = undefined
      if (!taken) throw new GatewayError('internal')
      return taken
    },
  }
}

/** `user%server%mailbox` asks for a proxy session. */
const isProxied = (name: string) => name.includes('%')

/** RFC 4616 §2: `[authzid] NUL authcid NUL passwd`. Nobody may act for another: an authzid has to be the authcid. */
const parsePlain = (text: string): Credentials | undefined => {
  const octets = decodeBase64(text)
  const [authorize, user, password, more] = (octets && decodeUtf8(octets))?.split('\0') ?? []
  if (!user || !password || more !== undefined) return undefined
  return authorize === '' || authorize === user ? { user, password: new Secret(password) } : undefined
}
