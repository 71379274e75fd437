import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { GatewayError } from '../core/errors.ts'
import type { Cause } from '../core/events.ts'
import { isSenderId, type MailboxId, newSenderId, type Position, type SenderId } from '../core/ids.ts'
import { Secret } from '../core/secret.ts'
import { senderStream } from '../core/streams.ts'
import { guessingGuard } from '../keys/guessingGuard.ts'
import { appendChange, appendWithKey, keyIn } from './accessParts.ts'
import { lastUses } from './lastUses.ts'
import type { TokensParts } from './tokens.ts'
import { validLabel } from './typed.ts'

/** Somebody who sends mail with a token of his own. It opens nothing else: no maildrop, and not the API. */
export type Sender = {
  readonly senderId: SenderId
  readonly name: string | null
  /** To which he may send; null: to all. */
  readonly mailboxes: readonly MailboxId[] | null
  /** ISO 8601. */
  readonly issuedAt: string
}

export type SenderUse = Sender & { readonly lastUsed: Date | undefined }

export type SenderRequest = { readonly name: string | undefined; readonly mailboxes: readonly MailboxId[] | null }

export type Senders = {
  /** The token is shown once; only its digest is kept. */
  issue(request: SenderRequest, cause: Cause): Promise<Sender & { readonly token: Secret }>
  /** Those that work, the oldest first. */
  list(): Promise<readonly SenderUse[]>
  /** Rejects with `sender-unknown`. */
  revoke(senderId: string, cause: Cause): Promise<void>
  /** Whether there is anybody who could authenticate himself. */
  offered(): boolean
  /** Whose name and token these are. Rejects with `password-wrong`, `too-many-attempts` or a storage failure; refusals are counted. */
  authenticate(attempt: SenderAttempt): Promise<SenderId>
  /** Whether the sender's token is for the mailbox, now. */
  maySend(sender: SenderId, mailboxId: MailboxId): boolean
}

export type SenderAttempt = { readonly name: string; readonly token: Secret; readonly source: string }

export type SendersParts = TokensParts & {
  readonly views: {
    senderOf(senderId: SenderId): Sender | undefined
    all(): readonly Sender[]
    any(): boolean
    /** Resolves when what was appended at this position is seen in them. */
    seen(position: Position): Promise<void>
    /** Whether they hold everybody whom the log names. */
    areComplete(): boolean
    /** Where others issue tokens too: resolves when the views know all that there were at the time of the call. */
    readonly current: (() => Promise<void>) | undefined
  }
  /** Counts a refusal that is no event of its own. */
  refused(source: string, kind: string): void
}

const directory = 'senders/'
const keyOf = (senderId: SenderId) => `${directory}${senderId}.json`
const digestOf = (text: string) => createHash('sha256').update(text).digest()

/**
 * Tokens for sending mail: an event each, and the digest in the key store. Whether a token works the views say, so that every
 * gateway on one log knows of a revocation as soon as its views do.
 */
export const createSenders = (parts: SendersParts): Senders => {
  const { clock, keys, views, refused } = parts
  const guard = guessingGuard(clock)
  const uses = lastUses(parts, directory)

  const known = async (name: string): Promise<Sender | undefined> => {
    if (!isSenderId(name)) return undefined
    const sender = views.senderOf(name)
    if (sender) return sender
    await views.current?.()
    const newer = views.senderOf(name)
    // Views that are behind do not prove that there is none.
    if (!newer && !views.areComplete()) throw new GatewayError('storage-failed')
    return newer
  }
  const holds = async ({ senderId }: Sender, token: Secret) => {
    const digest = (await keyIn(parts, keyOf(senderId)))?.['sha256']
    const kept = Buffer.from(typeof digest === 'string' ? digest : '', 'hex')
    const given = digestOf(token.reveal())
    return kept.length === given.length && timingSafeEqual(kept, given)
  }

  return {
    issue: async ({ name, mailboxes }, cause) => {
      const senderId = newSenderId()
      const token = `sealpost_sender_${randomBytes(32).toString('base64url')}`
      const key = { name: keyOf(senderId), value: { sha256: digestOf(token).toString('hex') } }
      const data = { senderId, name: validLabel(name), mailboxes }
      const fact = { type: 'SenderTokenIssued', data } as const
      const { position } = await appendWithKey(parts, key, { stream: senderStream(senderId), next: 0, fact, cause })
      // It works: its only token must reach the caller, even when the views are late.
      await views.seen(position).catch(() => undefined)
      return { ...data, issuedAt: clock.now().toISOString(), token: new Secret(token) }
    },
    list: () => Promise.all(views.all().map(async (one) => ({ ...one, lastUsed: await uses.lastOf(one.senderId) }))),
    revoke: async (senderId, cause) => {
      const sender = await known(senderId)
      if (!sender) throw new GatewayError('sender-unknown')
      const fact = { type: 'SenderTokenRevoked', data: { senderId: sender.senderId } } as const
      const { position } = await appendChange(parts, { stream: senderStream(sender.senderId), next: 1, fact, cause })
      await keys.remove(keyOf(sender.senderId)).catch(() => undefined)
      await uses.forget(sender.senderId)
      await views.seen(position)
    },
    offered: () => views.any() || !views.areComplete(),
    authenticate: async ({ name, token, source }) => {
      const sender = await known(name)
      // Nobody finds 256 random bits by guessing: a right token is never kept waiting, whoever else fails at it.
      if (sender && (await holds(sender, token))) {
        uses.used(sender.senderId)
        return sender.senderId
      }
      const code = guard.admit(source, name, true) > 0 ? 'too-many-attempts' : 'password-wrong'
      if (code === 'password-wrong') guard.failed(source, name)
      refused(source, code === 'password-wrong' ? 'sender-token' : code)
      throw new GatewayError(code)
    },
    maySend: (senderId, mailboxId) => {
      const sender = views.senderOf(senderId)
      return sender !== undefined && (sender.mailboxes === null || sender.mailboxes.includes(mailboxId))
    },
  }
}
