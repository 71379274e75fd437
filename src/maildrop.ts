import { type TlsFacts } from './core/events.ts'
import { type MailboxId, type MessageId, type SessionId, type VaultKey } from './core/ids.ts'
import { type Secret } from './core/secret.ts'

/** One message as a POP3 session sees it, from the views alone: nothing is opened to know it. */
export type MaildropEntry = {
  readonly messageId: MessageId
  /** Octets of the plaintext. */
  readonly size: number
  /** Octets on a POP3 wire, dot-stuffing not counted. Equal to `size` when no line end needs changing. */
  readonly wireSize: number
  readonly object: VaultKey
  readonly generation: number
  readonly sealedSize: number
  readonly sealedSha256: string
}

/** A snapshot of a mailbox's retrievable messages, held under an exclusive lock until released. */
export type Maildrop = {
  readonly mailboxId: MailboxId
  readonly sessionId: SessionId
  readonly remoteAddress: string
  readonly entries: readonly MaildropEntry[]
}

export type MaildropLogin = {
  readonly sessionId: SessionId
  readonly remoteAddress: string
  readonly tls: TlsFacts
  /** Mailbox id, its address, or an alias. */
  readonly user: string
  readonly password: Secret
}

/** What a POP3 session may do with a mailbox. */
export type Maildrops = {
  /**
   * Checks the password, takes the lock, takes the snapshot. Rejects with `password-wrong` (also for a mailbox that
   * does not exist, after the same time), `too-many-attempts`, `maildrop-in-use`, `overloaded` or a storage failure.
   */
  open(login: MaildropLogin): Promise<Maildrop>
  /**
   * The message's exact plaintext in chunks. Ends only after the sealed object's digest was found equal to the log's and
   * `MessageRetrieved` is durable. When it throws (`object-missing`, `object-corrupt`, `not-openable`, storage
   * failures) the peer must not see an end; before the first chunk it may see the error's answer.
   */
  retrieve(maildrop: Maildrop, entry: MaildropEntry, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** One QUIT: all its deletions in one durable commit. */
  update(maildrop: Maildrop, deleted: readonly MessageId[]): Promise<void>
  /** Forgets the unlocked identity and gives the lock back. Idempotent. */
  release(maildrop: Maildrop): void
}
