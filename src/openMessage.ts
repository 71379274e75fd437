import type { Audit } from './audit.ts'
import { GatewayError } from './core/errors.ts'
import type { Cause } from './core/events.ts'
import type { SessionId } from './core/ids.ts'
import type { Secret } from './core/secret.ts'
import type { Message } from '../projections/messages.ts'
import type { Login } from './login.ts'
import type { SealedMessage } from './retrieve.ts'
import type { Storage } from './storage/storage.ts'
import { topCutter, wholeMessage } from './wire/topCutter.ts'

/** A message that an administrator opens, with the mailbox's password: who, and from where. */
export type Opening = {
  readonly message: SealedMessage & Pick<Message, 'relay' | 'generation'>
  readonly password: Secret
  /** Its header and the empty line after it; otherwise the whole message. */
  readonly part?: 'headers' | undefined
  /** Why, as it was typed. */
  readonly reason?: string | undefined
  readonly requestId: SessionId
  readonly remoteAddress: string
  readonly cause: Cause
}

/**
 * Gives the plaintext as `Retrieve` does, of a part too: its end is not reached before the whole was found to be what was
 * recorded. Stands under the same limits to guessing as POP3, and is recorded the same; that it is opened, by whom and
 * why, before any of it is given.
 */
export type OpenMessage = (opening: Opening) => AsyncGenerator<Uint8Array, void, undefined>

export type OpenMessageParts = {
  readonly storage: Pick<Storage, 'retrieve' | 'lock'>
  readonly login: Pick<Login, 'authenticate'>
  readonly audit: Pick<Audit, 'opened'>
}

export const createOpenMessage = ({ storage, login, audit }: OpenMessageParts): OpenMessage => {
  const record = ({ message: { mailboxId, messageId }, part, reason, cause }: Opening) =>
    audit.opened(
      { record: 'plaintext', mailboxId, messageId, ...(part && { part }), ...(reason !== undefined && { reason }) },
      cause,
    )

  return async function* openMessage(opening) {
    const { message, password, part, requestId, remoteAddress, cause } = opening
    if (message.relay === 'pending' || message.relay === 'refused') throw new GatewayError('message-not-relayed')
    const { mailboxId } = message
    const attempt = { sessionId: requestId, remoteAddress, cause, mailboxId, user: mailboxId, proof: { password } }
    const { generations } = await login.authenticate(attempt)
    try {
      if (!generations.includes(message.generation)) throw new GatewayError('not-openable')
      await record(opening)
      const cut = part === 'headers' ? topCutter(0) : wholeMessage
      for await (const chunk of storage.retrieve(message, requestId, cause)) {
        const piece = cut(chunk)
        if (piece.length > 0) yield piece
      }
    } finally {
      storage.lock(requestId)
    }
  }
}
