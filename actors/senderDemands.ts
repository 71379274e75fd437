import type { Proof, Refusal } from '../src/core/senderPolicy.ts'
import type { ReplyName } from './smtpReplies.ts'
import type { Recipient, SmtpContext } from './smtpSetup.ts'

/** The first thing that was asked for and not shown, and how that is refused. */
export type Lack = { readonly proof: Proof; readonly known: boolean; readonly refusal: Refusal }

/** What decides of a session, and of a recipient. */
type Shown = Pick<SmtpContext, 'demand' | 'shown' | 'secure' | 'sender'>
type AskedBy = Pick<Recipient, 'found' | 'demand' | 'shown'>

/** What the listener asks of everybody and this peer has not shown yet. */
export const lackOfPeer = ({ demand, shown, secure, sender }: Shown): Lack | undefined => {
  const proof = demand?.asks.find((asked) => {
    if (asked === 'tls') return !secure
    return asked === 'token' ? sender === undefined : !shown.includes(asked)
  })
  return demand && proof && { proof, known: sender !== undefined, refusal: demand.refusal }
}

/**
 * What a mailbox asks for beyond that. Who has authenticated himself may send to the mailboxes of his token and to no
 * other, whether it was asked for or not.
 */
export const lackAtMailbox = (context: Shown, { found, demand, shown = [] }: AskedBy): Lack | undefined => {
  if (!('mailboxId' in found)) return undefined
  const known = context.sender !== undefined
  const asks: readonly Proof[] = [...(demand?.asks ?? []), ...(known ? (['token'] as const) : [])]
  const proof = asks.find((asked) => {
    if (asked === 'tls') return !context.secure
    return asked === 'token' ? !known || !shown.includes('token') : !shown.includes(asked)
  })
  return proof && { proof, known, refusal: demand?.refusal ?? context.demand?.refusal ?? 'temporary' }
}

/** RFC 3207 §4 and RFC 4954 §6 for what is missing, RFC 3463 §3.8 for what is not allowed. */
const replies = {
  network: { temporary: 'networkLater', permanent: 'networkRefused' },
  tls: { temporary: 'tlsFirstLater', permanent: 'tlsFirst' },
  certificate: { temporary: 'certificateLater', permanent: 'certificateRequired' },
  token: { temporary: 'authFirstLater', permanent: 'authFirst' },
  scope: { temporary: 'senderLater', permanent: 'senderRefused' },
} as const satisfies Record<string, Record<Refusal, ReplyName>>

export const replyToLack = ({ proof, known, refusal }: Lack): ReplyName =>
  replies[proof === 'token' && known ? 'scope' : proof][refusal]
