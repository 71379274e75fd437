import type { Saying } from '../../actors/pop3ProxySetup.ts'
import type { Proxied } from '../../actors/proxied.ts'
import { GatewayError } from '../core/errors.ts'
import type { ProxyMechanism } from '../core/events.ts'
import { octetsOf, type ProxyCredentials } from './sasl.ts'

/** What is said to the remote server: lines without their ends, Latin-1. */
export type Pop3Words = {
  /** Throws `proxy-login` for a password that would be more than one line. */
  line(say: Saying, asked: Proxied): string
  /** With which the remote server was told who it is. */
  mechanism(): ProxyMechanism
  /** The client's next line, for `command` and `answer`. */
  heard(line: Buffer): void
  /** Whether a password or token was said: before that the server cannot have refused one. */
  proved(): boolean
  /** The login is over. */
  forget(): void
}

export const pop3Words = (credentials: ProxyCredentials, user: string): Pop3Words => {
  let known: ProxyCredentials | undefined = credentials
  let mechanism: ProxyMechanism = 'USER'
  let clients = ''
  let proved = false
  const held = () => {
    if (!known) throw new GatewayError('internal')
    return known
  }
  return {
    proved: () => proved,
    line: (say, asked) => {
      proved ||= say === 'pass' || say === 'response' || say === 'answer'
      switch (say) {
        case 'stls':
        case 'quit':
          return say.toUpperCase()
        case 'user':
          return `USER ${octetsOf(user)}`
        case 'pass':
          return `PASS ${oneLine(held().password?.reveal() ?? '')}`
        case 'auth':
          mechanism = held().mechanism === 'USER' ? 'PLAIN' : held().mechanism
          return `AUTH ${mechanism}`
        case 'response':
          return held().message(user).reveal()
        case 'answer':
          return clients
        case 'command':
          return commandLine(asked, clients)
        case 'retr':
        case 'dele':
          return `${say.toUpperCase()} ${asked.number ?? ''}`
        case 'top':
          return `TOP ${asked.number ?? ''} ${linesAsked(asked)}`
      }
    },
    mechanism: () => mechanism,
    heard: (line) => {
      clients = line.toString('latin1').replaceAll(/[\r\n\0]/g, '')
    },
    forget: () => {
      known = undefined
      clients = ''
    },
  }
}

const oneLine = (password: string) => {
  if (!/[\r\n\0]/.test(password)) return password
  throw new GatewayError('proxy-login', {
    detail: 'The password has a line end in it, which the server could not take',
  })
}

const commands: Readonly<Partial<Record<Proxied['verb'], string>>> = { listOne: 'LIST', uidlOne: 'UIDL' }

/** As this gateway writes what it knows; anything else as the client has. */
const commandLine = ({ verb, number }: Proxied, line: string) => {
  if (verb === 'other') return line
  const word = commands[verb] ?? verb.toUpperCase()
  return number === undefined ? word : `${word} ${number}`
}

/** More than servers have to take for a number. */
const mostLines = 0x7fffffff

/** One line more than the client wants shows whether it gets the whole message. */
const linesAsked = ({ lines = 0 }: Proxied) => Math.min(lines + 1, Math.max(lines, mostLines))
