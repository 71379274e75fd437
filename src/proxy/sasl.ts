import type { ProxyMechanism } from '../core/events.ts'
import { Secret } from '../core/secret.ts'
import { decodeBase64 } from '../wire/base64.ts'
import { decodeUtf8 } from '../wire/utf8.ts'

/** What a mail client logs in with. */
export type ProxyCredentials = {
  readonly mechanism: ProxyMechanism
  /** The user name as typed: `user%server%mailbox`, or something else that is to be refused. */
  readonly name: string
  /** One character per octet; OAuth has none. */
  readonly password: Secret | undefined
  /**
   * The SASL message for the remote server, base64: the octets that the client has sent with only the user name replaced.
   * Of USER and LOGIN, which have none, the PLAIN message that stands for them.
   */
  message(user: string): Secret
}

/** A user name or password that stands alone in a line of its own is Latin-1 of these octets. */
export const octetsOf = (text: string): string => Buffer.from(text).toString('latin1')

/** From the two parts of USER and PASS, or of LOGIN after its base64. Undefined when the name is not UTF-8 or one is empty. */
export const passwordCredentials = (
  mechanism: 'USER' | 'LOGIN',
  user: Uint8Array,
  password: Uint8Array,
): ProxyCredentials | undefined => {
  const name = decodeUtf8(user)
  if (!name || password.length === 0) return undefined
  const secret = latin1(password)
  return {
    mechanism,
    name,
    password: new Secret(secret),
    message: (rewritten) => encoded(`\0${octetsOf(rewritten)}\0${secret}`),
  }
}

/** From a mechanism's one message, base64. Undefined when it is malformed or names nobody. */
export const messageCredentials = (
  mechanism: 'PLAIN' | 'XOAUTH2' | 'OAUTHBEARER',
  base64: string,
): ProxyCredentials | undefined => {
  const octets = decodeBase64(base64)
  const read = octets && readers[mechanism](latin1(octets))
  const name = read && decodeUtf8(Buffer.from(read.name, 'latin1'))
  if (!read || !name) return undefined
  const { password, rebuilt } = read
  return {
    mechanism,
    name,
    password: password === undefined ? undefined : new Secret(password),
    message: (user) => encoded(rebuilt(octetsOf(user))),
  }
}

/** All with one character per octet. */
type Read = {
  readonly name: string
  readonly password?: string
  readonly rebuilt: (user: string) => string
}

/** RFC 4616 §2. Nobody may act for another: an authorization identity has to be the user name, and is replaced with it. */
const readPlain = (message: string): Read | undefined => {
  const [authorize = '', name = '', password = '', more] = message.split('\0')
  if (name === '' || password === '' || more !== undefined) return undefined
  if (authorize !== '' && authorize !== name) return undefined
  return { name, password, rebuilt: (user) => `${authorize && user}\0${user}\0${password}` }
}

/** `user=… ^A auth=Bearer … ^A^A`, as Google and Microsoft have it. */
const readXoauth2 = (message: string): Read | undefined => {
  const { before, name, after } = /^(?<before>user=)(?<name>[^\x01]*)(?<after>\x01.*)$/s.exec(message)?.groups ?? {}
  if (before === undefined || name === undefined || after === undefined) return undefined
  return { name, rebuilt: (user) => before + user + after }
}

/** RFC 7628 §3.1 with the header of RFC 5801 §4, in which `,` and `=` are written as =2C and =3D. */
const readOauthBearer = (message: string): Read | undefined => {
  const header = /^(?<before>[ny],a=)(?<name>(?:[^,=\x00\x01]|=2C|=3D)*)(?<after>,\x01.*)$/s
  const { before, name, after } = header.exec(message)?.groups ?? {}
  if (before === undefined || name === undefined || after === undefined) return undefined
  const written = (user: string) => user.replaceAll('=', '=3D').replaceAll(',', '=2C')
  return {
    name: name.replaceAll('=2C', ',').replaceAll('=3D', '='),
    rebuilt: (user) => before + written(user) + after,
  }
}

const readers = { PLAIN: readPlain, XOAUTH2: readXoauth2, OAUTHBEARER: readOauthBearer } as const

const latin1 = (octets: Uint8Array) => Buffer.from(octets).toString('latin1')
const encoded = (message: string) => new Secret(Buffer.from(message, 'latin1').toString('base64'))

/**
 * The client's line upon a challenge, as it goes to the server. What is no response (RFC 4422 §4, base64) cancels: nothing else of
 * the client may become a line there, which a server that is done with the login would take for a command.
 */
export const responseOf = (line: Buffer): string => {
  const text = line.toString('latin1')
  return /^[A-Za-z0-9+\/=]*$/v.test(text) ? text : '*'
}
