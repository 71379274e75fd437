import { allEvents } from './allEvents.ts'
import type { Config } from './config.ts'
import { GatewayError } from './core/errors.ts'
import type { EventData, Recorded } from './core/events.ts'
import type { MessageId, SessionId } from './core/ids.ts'
import type { EventLog, Vault } from './core/ports.ts'
import type { Secret } from './core/secret.ts'
import { messageStream, sessionStream } from './core/streams.ts'
import { checkDirectories, claimDataDirectory, logPlaceOf, placesOf } from './dataDirectory.ts'
import { unlockIdentities } from './keys/unlock.ts'
import { type History, openHistory } from './history.ts'
import { keyFiles } from './keys/keyFiles.ts'
import { readLog } from './log/openLog.ts'
import { ringOf } from './mailboxes/newest.ts'
import { openVerified } from './retrieve.ts'
import { openVault } from './vault/openVault.ts'

/** What a gateway has, without the gateway: a copy, a backup, or one that is stopped. Nothing is recorded. */
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

type Places = Pick<Config, 'gateway' | 'log' | 'vault' | 'keys'>

/** Opens the log for reading; the vault when it is first asked for, which claims the data directory. */
export const offline = async (config: Places): Promise<Offline> => {
  const log = await readLog(logPlaceOf(config))
  let history: History | undefined
  let claimed: { readonly vault: Vault; close(): Promise<void> } | undefined
  const vaultOf = (): Vault => (claimed ??= claimVault(config)).vault
  return {
    events: () => allEvents(log),
    session: (sessionId) => log.readStream(sessionStream(sessionId), 0, eventsOfSession),
    history: (domain, onProgress) => (history ??= openHistory({ log, domain, onProgress })),
    sealed: (messageId) => chunksOf(sealedEvent(log, messageId), ({ object }) => vaultOf().open(object)),
    open: (messageId, password) =>
      chunksOf(sealedEvent(log, messageId), async (message) => {
        const ring = await ringOf({ log, views: { mailboxAsOf: () => undefined } }, message.mailboxId)
        const unlocked = await unlockIdentities(keyFiles({ dir: placesOf(config).keys }), ring, { password })
        if (!unlocked) throw new GatewayError('password-wrong')
        return openVerified(
          vaultOf(),
          message,
          unlocked.opened.map(({ identity }) => identity),
        )
      }),
    close: async () => {
      history?.close()
      await claimed?.close()
      await log.close()
    },
  }
}

const claimVault = (config: Places) => {
  const claim = claimDataDirectory(config.gateway.data)
  try {
    checkDirectories(placesOf(config))
    const vault = openVault({ engine: config.vault.engine, dir: placesOf(config).vault })
    const close = async () => {
      await vault.close()
      claim.release()
    }
    return { vault, close }
  } catch (error) {
    claim.release()
    throw error
  }
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
  if ((await log.readLast(messageStream(messageId)))?.type === 'MessagePurged') throw new GatewayError('message-purged')
  return sealed.data
}
