import { asGatewayError, GatewayError, isErrorCode } from '../src/core/errors.ts'
import { isSessionOutcome, type SessionOutcome } from '../src/core/events.ts'
import { readProxied, type RemoteStatus, remoteStatuses, statusCode, writeProxied } from './proxied.ts'
import { pop3Proxy } from './pop3Proxy.ts'
import type { Capable, Pop3Mechanism, Pop3ProxyEvent, Pop3ProxyInput, Taken } from './pop3ProxySetup.ts'
import type { Notation, WorkEvent } from './transcript.ts'

export type Pop3ProxyHeard =
  | Pop3ProxyEvent
  | WorkEvent<'hear' | 'tell', RemoteStatus>
  | WorkEvent<'inquire', Capable>
  | WorkEvent<'identify', boolean>
  | WorkEvent<'take', Taken>
  | WorkEvent<'upgrade' | 'list' | 'hold', unknown>

const mechanisms: readonly Pop3Mechanism[] = ['USER', 'PLAIN', 'XOAUTH2', 'OAUTHBEARER']

/** The session stands in nothing that depends on it. */
const writeInput = ({ secure, mechanism }: Pop3ProxyInput) => `${secure ? 'tls' : 'plain'} ${mechanism}`

const readInput = (text: string): Pop3ProxyInput | undefined => {
  const [tls, word] = text.split(' ')
  const mechanism = mechanisms.find((one) => one === word)
  return mechanism && { session: '', secure: tls === 'tls', mechanism }
}

const done = 'xstate.done.actor.'
const failed = 'xstate.error.actor.'
const works = ['hear', 'tell', 'inquire', 'identify', 'take', 'upgrade', 'list', 'hold'] as const
const takens = ['same', 'partial', 'whole'] as const

const writeEvent = (event: Pop3ProxyHeard): string => {
  switch (event.type) {
    case 'asked':
      return `asked ${writeProxied(event)}`
    case 'closed':
      return `closed ${event.outcome}`
    case 'answer':
      return event.type
    case 'xstate.done.actor.hear':
    case 'xstate.done.actor.tell':
    case 'xstate.done.actor.take':
      return `${event.type.slice(done.length)}.done ${event.output}`
    case 'xstate.done.actor.inquire':
      return `inquire.done${writeCapable(event.output)}`
    case 'xstate.done.actor.identify':
      return `identify.done ${event.output ? 'recorded' : 'unrecorded'}`
    case 'xstate.done.actor.upgrade':
    case 'xstate.done.actor.list':
    case 'xstate.done.actor.hold':
      return `${event.type.slice(done.length)}.done`
    default:
      return `${event.type.slice(failed.length)}.failed ${asGatewayError(event.error).code}`
  }
}

const writeCapable = ({ stls, user, mechanisms }: Capable) =>
  [...(stls ? [' stls'] : []), ...(user ? [' user'] : []), ...mechanisms.map((name) => ` ${name}`)].join('')

const readEvent = (text: string): Pop3ProxyHeard | undefined => {
  const [type = '', ...words] = text.split(' ')
  if (type.includes('.')) return readWork(type, words)
  const [first = ''] = words
  if (type === 'answer') return { type }
  if (type === 'closed') return isSessionOutcome(first) ? { type, outcome: first } : undefined
  const asked = type === 'asked' ? readProxied(words.join(' ')) : undefined
  return asked && { type: 'asked', ...asked }
}

const oneOf = <W extends string>(known: readonly W[], word: string): W | undefined =>
  known.find((name) => name === word)

const readWork = (type: string, words: readonly string[]): Pop3ProxyHeard | undefined => {
  const [name = '', end] = type.split('.')
  const work = oneOf(works, name)
  const [first = ''] = words
  if (end === 'failed')
    return work && isErrorCode(first) ? { type: `${failed}${work}`, error: new GatewayError(first) } : undefined
  switch (work) {
    case 'hear':
    case 'tell': {
      const output = oneOf(remoteStatuses, first)
      return output && { type: `${done}${work}`, output }
    }
    case 'take': {
      const output = oneOf(takens, first)
      return output && { type: `${done}take`, output }
    }
    case 'inquire':
      return { type: `${done}inquire`, output: readCapable(words) }
    case 'identify':
      return { type: `${done}identify`, output: first === 'recorded' }
    case undefined:
      return undefined
    default:
      return { type: `${done}${work}`, output: undefined }
  }
}

const readCapable = (words: readonly string[]): Capable => ({
  stls: words.includes('stls'),
  user: words.includes('user'),
  mechanisms: mechanisms.filter((name) => words.includes(name)),
})

/**
 * How POP3 proxy connections are written down. In the place of replies stand what goes to the client's side: the remote
 * server's status, `release`, or the code of a failure.
 */
export const pop3ProxyNotation: Notation<typeof pop3Proxy, Pop3ProxyHeard> = {
  machine: pop3Proxy,
  writeInput,
  readInput,
  writeEvent,
  readEvent,
  replyCode: (emitted) => {
    if (emitted.type === 'pass') return statusCode(emitted.status)
    if (emitted.type === 'release') return 'release'
    return emitted.type === 'fail' ? emitted.error.code : undefined
  },
  outcome: (over): SessionOutcome => over.context.outcome,
}
