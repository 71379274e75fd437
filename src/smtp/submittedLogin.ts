import type { SubmittedCredentials } from '../../actors/submittedCredentials.ts'
import { smtpMechanism } from '../../actors/smtpProxyNotation.ts'
import type { SmtpMechanism } from '../../actors/smtpProxySetup.ts'
import { messageCredentials, passwordCredentials, type ProxyCredentials } from '../proxy/sasl.ts'
import { decodeBase64 } from '../wire/base64.ts'

/** The login of one session: what its client sends with AUTH and upon challenges (RFC 4954 §4). */
export type SubmittedLogin = {
  /** The line of an AUTH command. */
  auth(line: Buffer): SubmittedCredentials
  /** The line after a challenge of the gateway. */
  response(line: Buffer): SubmittedCredentials
  /** What was given; forgotten with that. */
  take(): ProxyCredentials | undefined
}

const command = /^AUTH[ \t]+(\S+)(?:[ \t]+(\S+))?[ \t]*$/iv

/** `offered`: no other mechanism is known. */
export const submittedLogin = (offered?: readonly SmtpMechanism[]): SubmittedLogin => {
  let credentials: ProxyCredentials | undefined
  let mechanism: SmtpMechanism = 'PLAIN'
  let user: Uint8Array | undefined

  const given = (read: ProxyCredentials | undefined): SubmittedCredentials => {
    user = undefined
    credentials = read
    return read ? 'given' : 'malformed'
  }
  const heard = (text: string): SubmittedCredentials => {
    if (mechanism !== 'LOGIN') return given(messageCredentials(mechanism, text))
    const octets = decodeBase64(text)
    if (octets === undefined) return given(undefined)
    if (user !== undefined) return given(passwordCredentials('LOGIN', user, octets))
    user = octets
    return 'passwordAwaited'
  }
  return {
    auth: (line) => {
      credentials = user = undefined
      const [, name = '', initial] = command.exec(line.toString('latin1')) ?? []
      const known = smtpMechanism(name.toUpperCase())
      if (known === undefined || offered?.includes(known) === false) return name === '' ? 'malformed' : 'otherMechanism'
      mechanism = known
      if (initial === undefined) return known === 'LOGIN' ? 'userAwaited' : 'awaited'
      // `=` is an empty response.
      return heard(initial === '=' ? '' : initial)
    },
    response: (line) => {
      const text = line.toString('latin1')
      if (text !== '*') return heard(text)
      user = undefined
      return 'cancelled'
    },
    take: () => {
      const taken = credentials
      credentials = undefined
      return taken
    },
  }
}
