import { asGatewayError, GatewayError, isErrorCode } from '../src/core/errors.ts'
import { isMailboxId, isMessageId, isSenderId, type MessageId, type SenderId, type SessionId } from '../src/core/ids.ts'
import { isPutOff } from '../src/core/putOff.ts'
import { type Demand, type Proof, proofs } from '../src/core/senderPolicy.ts'
import { isReplyName } from './smtpReplies.ts'
import { smtpSession } from './smtpSession.ts'
import type { Found, SmtpEvent, SmtpInput } from './smtpSetup.ts'
import { credentialsIn } from './submittedCredentials.ts'
import type { Notation, WorkEvent } from './transcript.ts'

export type SmtpHeard =
  | SmtpEvent
  | WorkEvent<'receive', { readonly messageId: MessageId }>
  | WorkEvent<'authenticate', { readonly sender: SenderId }>

/** The domain and the session stand in texts only. */
export const writeSmtpInput = ({
  secure,
  crowded,
  maxSize,
  maxRecipients,
  maxBadCommands,
  maxIdleCommands,
  offersAuth,
  demand,
  shown,
}: Omit<SmtpInput, 'sessionId'>): string =>
  `${secure ? 'tls' : 'plain'} ${crowded ? 'crowded' : 'room'} size=${maxSize} recipients=${maxRecipients} bad=${maxBadCommands}${maxIdleCommands === undefined ? '' : ` idle=${maxIdleCommands}`}${offersAuth ? ' auth' : ''}${writeDemand(demand, shown)}`

const inputForm = /^(tls|plain) (crowded|room) size=(\d+) recipients=(\d+) bad=(\d+)(?= |$)/

export const readSmtpInput = (text: string): SmtpInput | undefined => {
  const [form = '', tls, room, size, recipients, bad] = inputForm.exec(text) ?? []
  if (bad === undefined) return undefined
  const words = text.slice(form.length).split(' ')
  const idle = words.find((word) => /^idle=\d+$/.test(word))?.slice('idle='.length)
  return {
    sessionId: '' as SessionId,
    domain: '',
    secure: tls === 'tls',
    crowded: room === 'crowded',
    maxSize: Number(size),
    maxRecipients: Number(recipients),
    maxBadCommands: Number(bad),
    ...(idle !== undefined && { maxIdleCommands: Number(idle) }),
    offersAuth: words.includes('auth'),
    ...readDemand(words),
  }
}

type Asked = { readonly demand?: Demand | undefined; readonly shown?: readonly Proof[] }

/** ` asks=tls,token permanent shown=network`: of a policy what decides, and none of its addresses and names. */
const writeDemand = (demand: Demand | undefined, shown: readonly Proof[] = []): string =>
  (demand ? ` asks=${demand.asks.join(',')} ${demand.refusal}` : '') +
  (shown.length > 0 ? ` shown=${shown.join(',')}` : '')

const readDemand = (words: readonly string[]): Asked => {
  const asks = proofsIn(words, 'asks=')
  const shown = proofsIn(words, 'shown=')
  return {
    ...(asks && { demand: { asks, refusal: words.includes('permanent') ? 'permanent' : 'temporary' } }),
    ...(shown && { shown }),
  }
}

const proofsIn = (words: readonly string[], key: string): readonly Proof[] | undefined => {
  const named = words
    .find((word) => word.startsWith(key))
    ?.slice(key.length)
    .split(',')
  return named && proofs.filter((proof) => named.includes(proof))
}

const writeEvent = (event: SmtpHeard): string => {
  switch (event.type) {
    case 'hello':
      return event.extended ? 'hello extended' : 'hello'
    case 'mail':
      return `mail size=${event.size}${event.smtpUtf8 ? ' smtputf8' : ''}${event.putOff === undefined ? '' : ` ${event.putOff}`}`
    case 'rcpt':
      return `rcpt ${writeFound(event.found)}${writeDemand(event.demand, event.shown)}${event.ascii ? '' : ' beyond-ascii'}`
    case 'auth':
      return event.found === 'unread' ? 'auth' : `auth ${event.found}`
    case 'response':
      return `response ${event.found}`
    case 'secured':
      return event.certificate ? 'secured certificate' : 'secured'
    case 'bdat':
      return `bdat size=${event.size}${event.last ? ' last' : ''}`
    case 'malformed':
      return `malformed ${event.problem}`
    case 'flooded':
      return `flooded ${event.with}`
    case 'shutdown':
      return event.now ? 'shutdown now' : 'shutdown'
    case 'xstate.done.actor.receive':
      return `receive.done ${event.output.messageId}`
    case 'xstate.error.actor.receive':
      return `receive.failed ${asGatewayError(event.error).code}`
    case 'xstate.done.actor.authenticate':
      return `authenticate.done ${event.output.sender}`
    case 'xstate.error.actor.authenticate':
      return `authenticate.failed ${asGatewayError(event.error).code}`
    default:
      return event.type
  }
}

const writeFound = (found: Found) => ('mailboxId' in found ? `${found.is} ${found.mailboxId}` : found.is)

const plain = [
  'data',
  'rset',
  'noop',
  'vrfy',
  'help',
  'quit',
  'starttls',
  'unimplemented',
  'http',
  'sizeless',
  'chunkRead',
  'idle',
  'closed',
] as const

const nobody = ['unknown', 'relay', 'noPostmaster', 'unavailable'] as const

const readEvent = (text: string): SmtpHeard | undefined => {
  const [type = '', ...words] = text.split(' ')
  return readers[type]?.(words) ?? plainEvent(type)
}

const plainEvent = (type: string): SmtpHeard | undefined => {
  const known = plain.find((name) => name === type)
  return known && { type: known }
}

const readers: Readonly<Partial<Record<string, (words: readonly string[]) => SmtpHeard | undefined>>> = {
  hello: (words) => ({ type: 'hello', extended: words[0] === 'extended' }),
  mail: ([size = '', ...words]) => ({
    type: 'mail',
    size: Number(size.slice('size='.length)),
    smtpUtf8: words.includes('smtputf8'),
    putOff: words.find(isPutOff),
  }),
  rcpt: (words) => {
    const found = readFound(words)
    return found && { type: 'rcpt', found, ascii: words.at(-1) !== 'beyond-ascii', ...readDemand(words) }
  },
  auth: ([word = 'unread']) => {
    const found = credentialsIn(word)
    return found && { type: 'auth', found }
  },
  response: ([word = '']) => {
    const found = credentialsIn(word)
    return found && { type: 'response', found }
  },
  secured: ([word]) => (word === 'certificate' ? { type: 'secured', certificate: true } : { type: 'secured' }),
  bdat: ([size = '', last]) => ({ type: 'bdat', size: Number(size.slice('size='.length)), last: last === 'last' }),
  malformed: ([problem = '']) => (isReplyName(problem) ? { type: 'malformed', problem } : undefined),
  flooded: ([what]) => (what === 'line' || what === 'message' ? { type: 'flooded', with: what } : undefined),
  shutdown: ([now]) => ({ type: 'shutdown', now: now === 'now' }),
  'receive.done': ([messageId = '']) =>
    isMessageId(messageId) ? { type: 'xstate.done.actor.receive', output: { messageId } } : undefined,
  'authenticate.done': ([sender = '']) =>
    isSenderId(sender) ? { type: 'xstate.done.actor.authenticate', output: { sender } } : undefined,
  'authenticate.failed': ([code = '']) =>
    isErrorCode(code) ? { type: 'xstate.error.actor.authenticate', error: new GatewayError(code) } : undefined,
  'receive.failed': ([code = '']) =>
    isErrorCode(code) ? { type: 'xstate.error.actor.receive', error: new GatewayError(code) } : undefined,
}

const readFound = ([is, mailboxId = '']: readonly string[]): Found | undefined => {
  if (is === 'mailbox' || is === 'suspended') return isMailboxId(mailboxId) ? { is, mailboxId } : undefined
  const none = nobody.find((name) => name === is)
  return none && { is: none }
}

/** How SMTP sessions are written down: a recipient is the mailbox that it means, a failure its code. */
export const smtpNotation: Notation<typeof smtpSession, SmtpHeard> = {
  machine: smtpSession,
  writeInput: writeSmtpInput,
  readInput: readSmtpInput,
  writeEvent,
  readEvent,
  replyCode: (effect) =>
    effect.type === 'reply' ? `${effect.code}${effect.enhanced && `/${effect.enhanced}`}` : undefined,
  outcome: (_, effects) => effects.find((effect) => effect.type === 'ended')?.outcome,
}
