import type { Saying, SmtpMechanism, SmtpProxyInput } from '../../actors/smtpProxySetup.ts'
import { GatewayError } from '../core/errors.ts'
import { octetsOf, type ProxyCredentials } from './sasl.ts'

/** RFC 5321 §4.5.3.1.4 with its CRLF: a longer message waits for a challenge (RFC 4954 §4). */
const maxLine = 512 - 2

/** What is said to the remote server for the login: lines without their ends, Latin-1. */
export type SmtpWords = {
  /** How a login with these credentials begins. */
  readonly begins: Pick<SmtpProxyInput, 'mechanism' | 'initial'>
  authLine(mechanism: SmtpMechanism): string
  /** `domain` is how the gateway introduces itself. */
  line(what: Saying, domain: string): string
  /** The client's next line, for `answer` or a command. */
  heard(line: string): void
  /** The login is over. */
  forget(): void
}

const inClear: Readonly<Partial<Record<Saying, string>>> = {
  starttls: 'STARTTLS',
  data: 'DATA',
  rset: 'RSET',
  noop: 'NOOP',
  quit: 'QUIT',
}

export const smtpWords = (credentials: ProxyCredentials, user: string): SmtpWords => {
  let known: ProxyCredentials | undefined = credentials
  let clients = ''
  const held = () => {
    if (!known) throw new GatewayError('internal')
    return known
  }
  const mechanism = smtpMechanismOf(credentials)
  const message = () => held().message(user).reveal()
  const withMessage = (name: SmtpMechanism) => `AUTH ${name} ${message()}`
  const initial = withMessage(mechanism).length <= maxLine
  return {
    begins: { mechanism, initial },
    authLine: (name) => (initial && name !== 'LOGIN' ? withMessage(name) : `AUTH ${name}`),
    line: (what, domain) => {
      switch (what) {
        case 'ehlo':
          return `EHLO ${domain}`
        case 'message':
          return message()
        case 'user':
          return base64(octetsOf(user))
        case 'password':
          return base64(held().password?.reveal() ?? '')
        default:
          return inClear[what] ?? clients
      }
    },
    heard: (line) => (clients = line),
    forget: () => {
      known = undefined
      clients = ''
    },
  }
}

const base64 = (octets: string) => Buffer.from(octets, 'latin1').toString('base64')

/** POP3's USER is not spoken here. */
const smtpMechanismOf = ({ mechanism }: ProxyCredentials): SmtpMechanism => (mechanism === 'USER' ? 'LOGIN' : mechanism)
