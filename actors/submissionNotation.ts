import { asGatewayError, GatewayError, isErrorCode } from '../src/core/errors.ts'
import { readExtensions, writeExtensions } from './proxiedSmtp.ts'
import { readSmtpInput, writeSmtpInput } from './smtpNotation.ts'
import { isPutOff } from '../src/core/putOff.ts'
import { isReplyName } from './smtpReplies.ts'
import { submissionSession } from './submissionSession.ts'
import type { SubmissionEvent } from './submissionSetup.ts'
import { credentialsIn } from './submittedCredentials.ts'
import type { Notation } from './transcript.ts'

const writeEvent = (event: SubmissionEvent): string => {
  switch (event.type) {
    case 'hello':
      return event.extended ? 'hello extended' : 'hello'
    case 'auth':
    case 'response':
      return `${event.type} ${event.found}`
    case 'mail':
      return `mail size=${event.size}${event.eightBit ? ' 8bit' : ''}${event.smtpUtf8 ? ' smtputf8' : ''}${event.putOff === undefined ? '' : ` ${event.putOff}`}`
    case 'rcpt':
      return event.ascii ? 'rcpt' : 'rcpt beyond-ascii'
    case 'malformed':
      return `malformed ${event.problem}`
    case 'remote':
      return `remote ${event.code}`
    case 'welcomed':
      return `welcomed ${event.code} ${writeExtensions(event.extensions)}`
    case 'failed':
      return `failed ${asGatewayError(event.error).code}`
    case 'flooded':
      return `flooded ${event.with}`
    case 'shutdown':
      return event.now ? 'shutdown now' : 'shutdown'
    default:
      return event.type
  }
}

const plain = [
  'data',
  'rset',
  'noop',
  'vrfy',
  'help',
  'quit',
  'starttls',
  'unimplemented',
  'bdat',
  'http',
  'remoteLost',
  'secured',
  'idle',
  'closed',
] as const

const readEvent = (text: string): SubmissionEvent | undefined => {
  const [type = '', ...words] = text.split(' ')
  const known = plain.find((name) => name === type)
  return known ? { type: known } : readers[type]?.(words)
}

const login =
  (type: 'auth' | 'response') =>
  ([word = '']: readonly string[]): SubmissionEvent | undefined => {
    const found = credentialsIn(word)
    return found && { type, found }
  }

const readers: Readonly<Partial<Record<string, (words: readonly string[]) => SubmissionEvent | undefined>>> = {
  hello: ([word]) => ({ type: 'hello', extended: word === 'extended' }),
  auth: login('auth'),
  response: login('response'),
  mail: ([size = '', ...words]) => ({
    type: 'mail',
    size: Number(size.slice('size='.length)),
    eightBit: words.includes('8bit'),
    smtpUtf8: words.includes('smtputf8'),
    putOff: words.find(isPutOff),
  }),
  rcpt: ([word]) => ({ type: 'rcpt', ascii: word !== 'beyond-ascii' }),
  malformed: ([problem = '']) => (isReplyName(problem) ? { type: 'malformed', problem } : undefined),
  remote: ([code]) => ({ type: 'remote', code: Number(code) }),
  welcomed: ([code, ...words]) => ({ type: 'welcomed', code: Number(code), extensions: readExtensions(words) }),
  failed: ([code = '']) => (isErrorCode(code) ? { type: 'failed', error: new GatewayError(code) } : undefined),
  flooded: ([what]) => (what === 'line' || what === 'message' ? { type: 'flooded', with: what } : undefined),
  shutdown: ([now]) => ({ type: 'shutdown', now: now === 'now' }),
}

/** How submission sessions are written down: of credentials only whether they were there, of the remote server its codes. */
export const submissionNotation: Notation<typeof submissionSession, SubmissionEvent> = {
  machine: submissionSession,
  writeInput: writeSmtpInput,
  readInput: readSmtpInput,
  writeEvent,
  readEvent,
  replyCode: (effect) => {
    if (effect.type === 'pass') return String(effect.code)
    return effect.type === 'reply' ? `${effect.code}${effect.enhanced && `/${effect.enhanced}`}` : undefined
  },
  outcome: (_, effects) => effects.find((effect) => effect.type === 'ended')?.outcome,
}
