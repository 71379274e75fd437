import { asGatewayError, GatewayError, isErrorCode } from '../src/core/errors.ts'
import { isMailboxId, isMessageId, type MessageId, type SessionId } from '../src/core/ids.ts'
import { isPutOff } from '../src/core/putOff.ts'
import { isReplyName } from './smtpReplies.ts'
import { smtpSession } from './smtpSession.ts'
import type { Found, SmtpEvent, SmtpInput } from './smtpSetup.ts'
import type { Notation, WorkEvent } from './transcript.ts'

export type SmtpHeard = SmtpEvent | WorkEvent<'receive', { readonly messageId: MessageId }>

/** The domain and the session stand in texts only. */
export const writeSmtpInput = ({
  secure,
  crowded,
  maxSize,
  maxRecipients,
  maxBadCommands,
}: Omit<SmtpInput, 'sessionId'>): string =>
  `${secure ? 'tls' : 'plain'} ${crowded ? 'crowded' : 'room'} size=${maxSize} recipients=${maxRecipients} bad=${maxBadCommands}`

const inputForm = /^(tls|plain) (crowded|room) size=(\d+) recipients=(\d+) bad=(\d+)$/

export const readSmtpInput = (text: string): SmtpInput | undefined => {
  const [, tls, room, size, recipients, bad] = inputForm.exec(text) ?? []
  if (bad === undefined) return undefined
  return {
    sessionId: '' as SessionId,
    domain: '',
    secure: tls === 'tls',
    crowded: room === 'crowded',
    maxSize: Number(size),
    maxRecipients: Number(recipients),
    maxBadCommands: Number(bad),
  }
}

const writeEvent = (event: SmtpHeard): string => {
  switch (event.type) {
    case 'hello':
      return event.extended ? 'hello extended' : 'hello'
    case 'mail':
      return `mail size=${event.size}${event.smtpUtf8 ? ' smtputf8' : ''}${event.putOff === undefined ? '' : ` ${event.putOff}`}`
    case 'rcpt':
      return `rcpt ${writeFound(event.found)}${event.ascii ? '' : ' beyond-ascii'}`
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
  'auth',
  'unimplemented',
  'http',
  'sizeless',
  'chunkRead',
  'secured',
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
    return found && { type: 'rcpt', found, ascii: words.at(-1) !== 'beyond-ascii' }
  },
  bdat: ([size = '', last]) => ({ type: 'bdat', size: Number(size.slice('size='.length)), last: last === 'last' }),
  malformed: ([problem = '']) => (isReplyName(problem) ? { type: 'malformed', problem } : undefined),
  flooded: ([what]) => (what === 'line' || what === 'message' ? { type: 'flooded', with: what } : undefined),
  shutdown: ([now]) => ({ type: 'shutdown', now: now === 'now' }),
  'receive.done': ([messageId = '']) =>
    isMessageId(messageId) ? { type: 'xstate.done.actor.receive', output: { messageId } } : undefined,
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
