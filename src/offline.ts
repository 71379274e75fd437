import { allEvents } from './allEvents.ts'
import { GatewayError } from './core/errors.ts'
import type { EventData, Recorded } from './core/events.ts'
import type { MessageId, SessionId } from './core/ids.ts'
import type { EventLog, Vault } from './core/ports.ts'
import type { Secret } from './core/secret.ts'
import { messageStream, sessionStream } from './core/streams.ts'
import { claimDataDirectory, pathsIn } from './dataDirectory.ts'
import { unlockIdentities } from './keys/identities.ts'
import { type History, openHistory } from './history.ts'
import { keyFiles } from './keys/keyFiles.ts'
import { readSqliteLog } from './log/sqlite.ts'
import { openVerified } from './retrieve.ts'
import { packs } from './vault/packs.ts'

/** A data directory without its gateway: a copy, a backup, or a gateway that is stopped. Nothing is recorded. */
export type Offline = {
  events(): AsyncIterable<Recorded>
  /** The events of one session's stream; they are few. */
  session(sessionId: SessionId): Promise<readonly Recorded[]>
  /** The views as of any moment of its log. `domain` is that of the mailboxes' addresses. */
  history(domain: string, onProgress: (folded: number) => void): History
  sealed(messageId: MessageId): AsyncIterable<Uint8Array>
  /** The plaintext; the digest is checked and nothing of the last chunk is given before. */
  open(messageId: MessageId, password: Secret): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/** A session opens, logs in and ends; refused logins are at most three. */
const eventsOfSession = 1000

/** Opens the log of the data directory for reading; the vault when it is first asked for, which claims the directory. */
export const offline = (data: string): Offline => {
  const paths = pathsIn(data)
  const log = readSqliteLog({ file: paths.log })
  let history: History | undefined
  let claimed: { readonly vault: Vault; close(): Promise<void> } | undefined
  const vaultOf = (): Vault => (claimed ??= claimVault(data)).vault
  return {
    events: () => allEvents(log),
    session: (sessionId) => log.readStream(sessionStream(sessionId), 0, eventsOfSession),
    history: (domain, onProgress) => (history ??= openHistory({ log, domain, onProgress })),
    sealed: (messageId) => chunksOf(sealedEvent(log, messageId), ({ object }) => vaultOf().open(object)),
    open: (messageId, password) =>
      chunksOf(sealedEvent(log, messageId), async (message) => {
        const identities = await unlockIdentities(keyFiles({ dir: paths.keys }), message.mailboxId, password)
        if (!identities) throw new GatewayError('password-wrong')
        return openVerified(vaultOf(), message, identities)
      }),
    close: async () => {
      history?.close()
      await claimed?.close()
      await log.close()
    },
  }
}

const claimVault = (data: string) => {
  const claim = claimDataDirectory(data)
  const vault = packs({ dir: pathsIn(data).vault })
  const close = async () => {
    await vault.close()
    claim.release()
  }
  return { vault, close }
}

async function* chunksOf<T>(
  found: Promise<T>,
  chunks: (found: T) => AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>,
): AsyncGenerator<Uint8Array> {
  yield* await chunks(await found)
}

const sealedEvent = async (log: EventLog, messageId: MessageId): Promise<EventData['MessageSealed']> => {
  const events = await log.readStream(messageStream(messageId), 0, 2)
  const sealed = events.find((event) => event.type === 'MessageSealed')
  if (!sealed) throw new GatewayError('message-unknown')
  return sealed.data
}
