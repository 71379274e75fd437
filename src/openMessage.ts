import { GatewayError } from './core/errors.ts'
import type { Cause } from './core/events.ts'
import type { SessionId } from './core/ids.ts'
import type { Secret } from './core/secret.ts'
import type { Message } from '../projections/messages.ts'
import type { Login } from './login.ts'
import type { SealedMessage } from './retrieve.ts'
import type { Storage } from './storage/storage.ts'

/** A message that an administrator opens, with the mailbox's password: who, and from where. */
export type Opening = {
  readonly message: SealedMessage & Pick<Message, 'relay'>
  readonly password: Secret
  readonly requestId: SessionId
  readonly remoteAddress: string
  readonly cause: Cause
}

/** Gives the plaintext as `Retrieve` does; stands under the same limits to guessing as POP3, and is recorded the same. */
export type OpenMessage = (opening: Opening) => AsyncGenerator<Uint8Array, void, undefined>

export type OpenMessageParts = { readonly storage: Pick<Storage, 'retrieve' | 'lock'>; readonly login: Login }

export const createOpenMessage = ({ storage, login }: OpenMessageParts): OpenMessage =>
  async function* openMessage({ message, password, requestId, remoteAddress, cause }) {
    if (message.relay === 'pending' || message.relay === 'refused') throw new GatewayError('message-not-relayed')
    const { mailboxId } = message
    const attempt = { sessionId: requestId, remoteAddress, cause, mailboxId, user: mailboxId, proof: { password } }
    await login.authenticate(attempt)
    try {
      yield* storage.retrieve(message, requestId, cause)
    } finally {
      storage.lock(requestId)
    }
  }
