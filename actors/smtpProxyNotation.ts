import { asGatewayError, GatewayError, isErrorCode } from '../src/core/errors.ts'
import { isMessageId } from '../src/core/ids.ts'
import { askedVerb } from './proxiedSmtp.ts'
import { smtpProxy } from './smtpProxy.ts'
import type { SmtpMechanism, SmtpProxyEffect, SmtpProxyEvent, SmtpProxyInput } from './smtpProxySetup.ts'
import type { Notation } from './transcript.ts'

const mechanisms: readonly SmtpMechanism[] = ['PLAIN', 'LOGIN', 'XOAUTH2', 'OAUTHBEARER']

export const smtpMechanism = (word: string): SmtpMechanism | undefined => mechanisms.find((name) => name === word)

const writeInput = ({ secure, mechanism, initial }: SmtpProxyInput) =>
  `${secure ? 'tls' : 'plain'} ${mechanism} ${initial ? 'initial' : 'awaited'}`

const readInput = (text: string): SmtpProxyInput | undefined => {
  const [tls, word = '', initial] = text.split(' ')
  const mechanism = smtpMechanism(word)
  return mechanism && { secure: tls === 'tls', mechanism, initial: initial === 'initial' }
}

const writeEvent = (event: SmtpProxyEvent): string => {
  switch (event.type) {
    case 'replied':
      return `replied ${event.code}`
    case 'offered':
      return ['offered', ...(event.starttls ? ['starttls'] : []), ...event.mechanisms].join(' ')
    case 'asked':
      return `asked ${event.verb}`
    case 'durable':
      return `durable ${event.messageId}`
    case 'unsecured':
    case 'unsealed':
      return `${event.type} ${asGatewayError(event.error).code}`
    default:
      return event.type
  }
}

const plain = ['secured', 'answer', 'bodyEnded', 'settled', 'silent', 'nonsense', 'closed', 'left', 'stopped'] as const

const readEvent = (text: string): SmtpProxyEvent | undefined => {
  const [type = '', ...words] = text.split(' ')
  const known = plain.find((name) => name === type)
  return known ? { type: known } : readers[type]?.(words)
}

const failure =
  (type: 'unsecured' | 'unsealed') =>
  (words: readonly string[]): SmtpProxyEvent | undefined => {
    const [code = ''] = words
    return isErrorCode(code) ? { type, error: new GatewayError(code) } : undefined
  }

const readers: Readonly<Partial<Record<string, (words: readonly string[]) => SmtpProxyEvent | undefined>>> = {
  replied: ([code = '']) => ({ type: 'replied', code: Number(code) }),
  offered: (words) => ({
    type: 'offered',
    starttls: words.includes('starttls'),
    // In the server's own order.
    mechanisms: words.map(smtpMechanism).filter((name) => name !== undefined),
  }),
  asked: ([word = '']) => {
    const verb = askedVerb(word)
    return verb && { type: 'asked', verb }
  },
  durable: ([messageId = '']) => (isMessageId(messageId) ? { type: 'durable', messageId } : undefined),
  unsecured: failure('unsecured'),
  unsealed: failure('unsealed'),
}

/** What concerns the client or the log; what is said to the remote server follows from the states. */
const effectCode = (effect: SmtpProxyEffect): string | undefined => {
  switch (effect.type) {
    case 'pass':
      return String(effect.code)
    case 'fail':
      return effect.error.code
    case 'settle':
      return effect.outcome
    case 'endData':
    case 'withdraw':
      return effect.type
    default:
      return undefined
  }
}

/**
 * How SMTP proxy connections are written down. In the place of replies stand what goes to the client's side (the remote
 * server's code, or that of a failure), `endData`, `withdraw`, and what is recorded of a message.
 */
export const smtpProxyNotation: Notation<typeof smtpProxy, SmtpProxyEvent> = {
  machine: smtpProxy,
  writeInput,
  readInput,
  writeEvent,
  readEvent,
  replyCode: effectCode,
  outcome: (_, effects) => effects.find((effect) => effect.type === 'ended')?.outcome,
}
