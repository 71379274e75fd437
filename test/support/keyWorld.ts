import { projections } from '../../projections/projections.ts'
import { viewReader } from '../../projections/projection.ts'
import { fold } from '../../projections/runner.ts'
import { type Fact, stamper } from '../../src/core/events.ts'
import { type MailboxId, type MessageId, newMessageId, newSessionId, origin, vaultKey } from '../../src/core/ids.ts'
import { newCommandId } from '../../src/core/ids.ts'
import type { EventLog, KeyStore } from '../../src/core/ports.ts'
import type { Secret } from '../../src/core/secret.ts'
import { mailboxStream, messageStream } from '../../src/core/streams.ts'
import type { GuessingGuard } from '../../src/keys/guessingGuard.ts'
import type { Unlocked } from '../../src/keys/unlock.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { createLogin } from '../../src/login.ts'
import { createMailboxes } from '../../src/mailboxes.ts'
import { countShut } from '../../src/mailboxes/countShut.ts'
import { createKeyChanges, type KeyChange, type KeyChangesParts } from '../../src/mailboxes/keyChanges.ts'
import { knownMailboxes } from '../../src/mailboxes/known.ts'
import { ringOf } from '../../src/mailboxes/newest.ts'
import type { SessionId } from '../../src/core/ids.ts'
import { sealBytes } from '../../src/seal/age.ts'
import { parseRecipient } from '../../src/seal/x25519.ts'
import { keyMethods } from '../../src/storage/keyMethods.ts'
import { type Keys, remoteKeys } from '../../src/storage/remoteKeys.ts'
import { byTest, emptyViews, steppingClock } from '../unit/projectionsGiven.ts'
import { memoryKeys } from './memoryKeys.ts'

/** What several gateways share: a log and keys. */
export const sharedStores = () => ({ log: memoryLog({ clock: steppingClock() }), ...memoryKeys() })
type Stores = ReturnType<typeof sharedStores>

export type Faults = {
  /** Stand before the store's own, and may throw. */
  readonly keys?: Partial<KeyStore>
  readonly append?: EventLog['append']
  readonly countShut?: KeyChangesParts['countShut']
  /** scrypt's cost, next to nothing otherwise; undefined for what it is in a gateway. */
  readonly logN?: number | undefined
  /** Otherwise nobody who guesses is held back. */
  readonly guard?: GuessingGuard
}

const patient: GuessingGuard = {
  admit: () => 0,
  wait: () => 0,
  knows: () => false,
  failed: () => undefined,
  succeeded: () => undefined,
  abandoned: () => undefined,
}

/** One gateway's way with keys, with views of its own, on stores that may be shared. */
export const keyWorld = (stores: Stores = sharedStores(), faults: Faults = {}) => {
  const log: EventLog = { ...stores.log, append: faults.append ?? ((one) => stores.log.append(one)) }
  const store: KeyStore = { ...stores.keys, ...faults.keys }
  const unlocked = new Map<SessionId, readonly Unlocked[]>()
  const methods = keyMethods(store, unlocked, { logN: 4, ...faults }) as unknown as Record<
    string,
    (args: unknown) => unknown
  >
  // As the threads do it, without the threads.
  const keys: Keys = remoteKeys(((method: string, args: unknown) =>
    Promise.try(() => methods[method]?.(structuredClone(args)))) as never)
  const db = emptyViews()
  const reader = viewReader(db)
  const visible = async () => fold(db, projections, await stores.log.readAll(origin, 10_000))
  const views = { visible, allVisible: visible, ...knownMailboxes(reader) }
  const stamp = stamper('test', () => new Date(0))
  const tidied: Promise<void>[] = []
  /** Damaged keys, of each login that met any. */
  const found: number[] = []
  const login = createLogin({
    storage: keys,
    log,
    stamp,
    guard: faults.guard ?? patient,
    refused: () => undefined,
    recorded: () => undefined,
    damaged: (keys) => void found.push(keys),
    logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
    ringOf: (mailboxId) => ringOf({ log, views }, mailboxId),
    tidy: (names) => void tidied.push(keys.removeKeyFiles(names).catch(() => undefined)),
  })
  const mailboxes = createMailboxes({ log, stamp, keys, views, domain: 'gateway.example' })
  const keyChanges = createKeyChanges({
    log,
    stamp,
    login,
    keys: { ...keys, removeKeyFiles: (names) => keys.removeKeyFiles(names).catch(() => undefined) },
    views,
    countShut:
      faults.countShut ??
      (async (mailboxId, open) => {
        await visible()
        return countShut(reader, mailboxId, open)
      }),
  })
  const change = (mailboxId: MailboxId, more: Partial<KeyChange> = {}): KeyChange => ({
    mailboxId,
    cause: byTest,
    requestId: newSessionId(),
    remoteAddress: `2001:db8:${Math.floor(Math.random() * 0xffff).toString(16)}::1`,
    ...more,
  })

  /** What a mail that arrives now is sealed with. */
  const arrive = async (
    mailboxId: MailboxId,
  ): Promise<{ readonly messageId: MessageId; readonly sealed: Uint8Array }> => {
    const { keyring } = (await ringOf({ log, views }, mailboxId)) ?? { keyring: { generations: [] } }
    const { generation = 0, recipient = '' } = keyring.generations.at(-1) ?? {}
    const messageId = newMessageId()
    const sealed = sealBytes([parseRecipient(recipient)], Buffer.from(`mail ${messageId}`))
    const about = { messageId, mailboxId }
    const facts: readonly Fact[] = [
      {
        type: 'MessageReceived',
        data: { ...about, size: 1, wireSize: 1, source: 'journal', sessionId: newSessionId(), tls: null },
      },
      {
        type: 'MessageSealed',
        data: { ...about, object: vaultKey(messageId), generation, sealedSize: 1, sealedSha256: 'ab' },
      },
    ]
    const events = facts.map((fact) => stamp(fact, byTest))
    await stores.log.append({ stream: messageStream(messageId), expected: 'any', commandId: newCommandId(), events })
    return { messageId, sealed }
  }

  return {
    ...stores,
    keyChanges,
    mailboxes,
    reader,
    found,
    visible,
    change,
    arrive,
    /** A mailbox and its password. */
    create: async (recovery?: string) => {
      const { mailboxId, password } = await mailboxes.create({ name: 'Archive', aliases: [], recovery, cause: byTest })
      if (!password) throw new Error('no password')
      return { mailboxId, password }
    },
    /** The generations that a password opens; undefined for a wrong one. Replaced files are gone when it resolves. */
    opens: async (mailboxId: MailboxId, password: Secret, atMost?: number) => {
      const { requestId, remoteAddress, cause } = change(mailboxId)
      const proof = { password, atMost }
      const attempt = { sessionId: requestId, remoteAddress, cause, mailboxId, user: mailboxId, proof }
      try {
        return (await login.authenticate(attempt)).generations
      } catch (error) {
        if ((error as { code?: string }).code === 'password-wrong') return undefined
        throw error
      } finally {
        await Promise.all(tidied.splice(0))
      }
    },
    /** The types of the mailbox's events. */
    told: async (mailboxId: MailboxId) =>
      (await stores.log.readStream(mailboxStream(mailboxId), 0, 100)).map(({ type }) => type),
    files: () => [...stores.values.keys()].map((name) => name.split('/').at(-1)).toSorted(),
    identitiesOf: (sessionId: SessionId) => unlocked.get(sessionId),
  }
}
