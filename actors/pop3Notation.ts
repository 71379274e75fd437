import { mostMessages } from './deletions.ts'
import { asGatewayError, GatewayError, isErrorCode } from '../src/core/errors.ts'
import { isSessionOutcome, type SessionOutcome } from '../src/core/events.ts'
import { isMessageId } from '../src/core/ids.ts'
import type { MessageRef, OpenedMaildrop, Pop3Event } from './pop3Replies.ts'
import { pop3Session } from './pop3Session.ts'
import type { Fetched, Pop3Input, Relayed } from './pop3Setup.ts'
import { readProxied, type RemoteStatus, remoteStatuses, statusCode, writeProxied } from './proxied.ts'
import type { Notation, WorkEvent } from './transcript.ts'

export type Pop3Heard =
  | Pop3Event
  | WorkEvent<'unlock', OpenedMaildrop>
  | WorkEvent<'fetch', Fetched>
  | WorkEvent<'upgrade' | 'enumerate' | 'send' | 'update' | 'passOn', unknown>
  | WorkEvent<'connect' | 'answer', RemoteStatus>
  | WorkEvent<'relay', Relayed>

/** The domain and the session stand in texts only. */
const writeInput = ({ secure, proxy, badCommands }: Pop3Input) =>
  `${secure ? 'tls' : 'plain'} bad=${badCommands}${proxy ? ' proxy' : ''}`

const readInput = (text: string): Pop3Input | undefined => {
  const [, tls, badCommands, proxy] = /^(tls|plain) bad=(\d+)( proxy)?$/.exec(text) ?? []
  if (badCommands === undefined) return undefined
  return {
    session: '',
    domain: '',
    secure: tls === 'tls',
    proxy: proxy !== undefined,
    badCommands: Number(badCommands),
  }
}

const done = 'xstate.done.actor.'
const failed = 'xstate.error.actor.'

const writeEvent = (event: Pop3Heard): string => {
  switch (event.type) {
    case 'user':
    case 'pass':
    case 'auth':
    case 'response':
      return `${event.type} ${event.found}`
    case 'listOne':
    case 'uidlOne':
    case 'retr':
    case 'dele':
      return `${event.type} ${writeMessage(event.message)}`
    case 'top':
      return `top ${writeMessage(event.message)} lines=${event.lines}`
    case 'proxied':
      return `proxied ${writeProxied(event)}`
    case 'closed':
      return `closed ${event.outcome}`
    case 'xstate.done.actor.connect':
    case 'xstate.done.actor.answer':
      return `${event.type.slice(done.length)}.done ${event.output}`
    case 'xstate.done.actor.relay':
      return `relay.done ${event.output.status}${event.output.rest ? ' rest' : ''}`
    case 'xstate.done.actor.unlock':
      return `unlock.done count=${event.output.count} octets=${event.output.octets}`
    case 'xstate.done.actor.fetch':
      return event.output.whole ? 'fetch.done whole' : 'fetch.done'
    case 'xstate.done.actor.upgrade':
    case 'xstate.done.actor.enumerate':
    case 'xstate.done.actor.send':
    case 'xstate.done.actor.update':
    case 'xstate.done.actor.passOn':
      return `${event.type.slice(done.length)}.done`
    case 'xstate.error.actor.upgrade':
    case 'xstate.error.actor.unlock':
    case 'xstate.error.actor.enumerate':
    case 'xstate.error.actor.fetch':
    case 'xstate.error.actor.send':
    case 'xstate.error.actor.update':
    case 'xstate.error.actor.passOn':
    case 'xstate.error.actor.connect':
    case 'xstate.error.actor.answer':
    case 'xstate.error.actor.relay':
      return `${event.type.slice(failed.length)}.failed ${asGatewayError(event.error).code}`
    default:
      return event.type
  }
}

const writeMessage = (message: MessageRef | undefined) =>
  message === undefined ? 'none' : `${message.number} octets=${message.octets} ${message.messageId}`

const readEvent = (text: string): Pop3Heard | undefined => {
  const [type = '', ...words] = text.split(' ')
  return type.includes('.') ? readWork(type, words) : readCommand(type, words)
}

const plain = [
  'capa',
  'stls',
  'utf8',
  'quit',
  'noop',
  'stat',
  'list',
  'uidl',
  'rset',
  'unknown',
  'oversized',
  'remoteLost',
] as const
const onMessages = ['listOne', 'uidlOne', 'retr', 'dele'] as const
const found = ['unread', 'given', 'proxied', 'malformed'] as const

const oneOf = <W extends string>(known: readonly W[], word: string): W | undefined =>
  known.find((name) => name === word)

const readCommand = (type: string, words: readonly string[]): Pop3Heard | undefined => {
  const [first = ''] = words
  const known = oneOf(plain, type)
  if (known !== undefined) return { type: known }
  const onMessage = oneOf(onMessages, type)
  if (onMessage !== undefined) return { type: onMessage, message: readMessage(words) }
  switch (type) {
    case 'user':
    case 'pass': {
      const what = oneOf(found, first)
      return what && { type, found: what }
    }
    case 'auth': {
      const what = oneOf([...found, 'awaited', 'otherMechanism'], first)
      return what && { type, found: what }
    }
    case 'response': {
      const what = oneOf([...found, 'cancelled', 'otherMechanism'], first)
      return what && { type, found: what }
    }
    case 'top':
      return { type, message: readMessage(words), lines: Number(words.at(-1)?.slice('lines='.length)) }
    case 'malformed':
      // What the right syntax is, stands in the text of the reply only.
      return { type, syntax: '' }
    case 'proxied': {
      const asked = readProxied(words.join(' '))
      return asked && { type, ...asked }
    }
    case 'closed':
      return isSessionOutcome(first) ? { type, outcome: first } : undefined
    default:
      return undefined
  }
}

const readMessage = ([number = '', octets = '', messageId = '']: readonly string[]): MessageRef | undefined =>
  isMessageId(messageId)
    ? { number: Number(number), octets: Number(octets.slice('octets='.length)), messageId }
    : undefined

const plainWorks = ['upgrade', 'enumerate', 'send', 'update', 'passOn'] as const
const logins = ['connect', 'answer'] as const
const works = [...plainWorks, ...logins, 'unlock', 'fetch', 'relay'] as const

const readWork = (type: string, [first = '', second = '']: readonly string[]): Pop3Heard | undefined => {
  const [name = '', end] = type.split('.')
  if (end === 'failed') {
    const work = oneOf(works, name)
    return work && isErrorCode(first) ? { type: `${failed}${work}`, error: new GatewayError(first) } : undefined
  }
  if (name === 'fetch') return { type: `${done}fetch`, output: { whole: first === 'whole' } }
  if (name === 'unlock') {
    const [count, octets] = [valueOf(first), valueOf(second)]
    return count <= mostMessages ? { type: `${done}unlock`, output: { count, octets } } : undefined
  }
  const status = oneOf(remoteStatuses, first)
  if (name === 'relay') return status && { type: `${done}relay`, output: { status, rest: second === 'rest' } }
  const login = oneOf(logins, name)
  if (login !== undefined) return status && { type: `${done}${login}`, output: status }
  const work = oneOf(plainWorks, name)
  return work && { type: `${done}${work}`, output: undefined }
}

const valueOf = (pair: string) => Number(pair.slice(pair.indexOf('=') + 1))

/** The words of a reply that programs act on (RFC 1939 §3, RFC 2449 §8): `+OK`, `-ERR`, `-ERR[IN-USE]`, `+`. */
const codeForm = /^(\+OK|-ERR|\+)(?: (\[[A-Z/-]+\]))?/

/** How POP3 sessions are written down: of credentials only whether they were there, of a failure its code. */
export const pop3Notation: Notation<typeof pop3Session, Pop3Heard> = {
  machine: pop3Session,
  writeInput,
  readInput,
  writeEvent,
  readEvent,
  replyCode: (emitted) => {
    if (emitted.type === 'pass') return statusCode(emitted.status)
    if (emitted.type !== 'reply') return undefined
    const [, status = '', code = ''] = codeForm.exec(emitted.lines[0] ?? '') ?? []
    return status + code
  },
  outcome: (over): SessionOutcome => over.context.outcome,
}
