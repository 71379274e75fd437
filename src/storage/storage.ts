import type { Archive, Delivery, Receipt } from '../archive.ts'
import type { Cause, SenderChecks } from '../core/events.ts'
import type { SessionId, VaultKey } from '../core/ids.ts'
import { asGatewayError, GatewayError } from '../core/errors.ts'
import type { EventFinder } from '../core/eventSearch.ts'
import type { EventLog } from '../core/ports.ts'
import type { SealedMessage } from '../retrieve.ts'
import { type Call, callsTo } from './calls.ts'
import { cutPieces, type Piece, pieceShare } from './octets.ts'
import { type Keys, remoteKeys } from './remoteKeys.ts'
import { type Owed, owedAnswers } from './owed.ts'
import { octetsPassed } from './sweep.ts'
import { startThread } from './thread.ts'
import { asSent } from './unsafeDisk.ts'
import type { Conditions, StorageMethods, StoragePlace } from './storageThread.ts'

/** The storage thread as the main thread sees it. Every method answers as the port or use case it is named after. */
export type Storage = Keys & {
  /** Reads and appends. Subscriptions belong to threads that open the log themselves. */
  readonly log: Omit<EventLog, 'subscribe'> & EventFinder
  readonly archive: Archive
  /** The plaintext, opened with what `sessionId` has unlocked; see `Retrieve` for when it ends. */
  retrieve(message: SealedMessage, sessionId: SessionId, cause: Cause): AsyncGenerator<Uint8Array, void, undefined>
  /** Removes sealed objects; durable when it resolves. */
  remove(objects: readonly VaultKey[]): Promise<void>
  /** The sealed object as it lies in the vault. */
  sealed(object: VaultKey): AsyncGenerator<Uint8Array, void, undefined>
  /** How the directories are to which it writes; `data` is one more to look at. */
  conditions(data: string): Promise<Conditions>
  /** Calls that the thread has not answered yet. */
  waiting(): number
  /** Seconds for which it has owed the oldest answer to an append or a message; 0 when it owes none. */
  lag(): number
  /** Octets of messages that are gathered or on their way to it, and not stored yet. */
  octets(): number
  /** Called once if the thread dies, or has died already: nothing can be stored any more, the process must stop. */
  onFailure(listener: (error: unknown) => void): void
  close(): Promise<void>
}

/**
 * Starts the thread; resolves once the log can be read. While a log cannot be reached that is not of this machine,
 * `onAway` is asked to wait, as long as it resolves. Rejects with what it rejects with, or `start-refused`.
 */
export const startStorage = async (
  place: StoragePlace,
  onAway: (error: GatewayError) => Promise<void> = (error) => Promise.reject(error),
): Promise<Storage> => {
  const worker = startThread(new URL('./storageThread.ts', import.meta.url), place)
  let failure: unknown
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => undefined)
  // From the start on: a thread that dies unheard takes the process with it.
  worker.once('error', (error) => {
    failure = asSent(error)
    failed.reject(failure)
  })
  const call = callsTo<StorageMethods>(worker, () => failure)
  try {
    while (!(await isReached(call, place, onAway)));
  } catch (error) {
    await worker.terminate()
    throw error
  }
  let stream = 0
  const owed = owedAnswers()
  const held = { octets: 0, messages: 0 }
  return {
    log: remoteLog(call, owed),
    archive: {
      receive: (delivery, body, checks) => receive({ call, owed, held, stream: ++stream }, delivery, body, checks),
    },
    ...remoteKeys(call),
    retrieve: (message, sessionId, cause) => {
      const id = ++stream
      return pieces(call, id, () => call('retrieveBegin', { stream: id, message, sessionId, cause }))
    },
    remove: (objects) => call('remove', { objects }),
    sealed: (object) => {
      const id = ++stream
      return pieces(call, id, () => call('sealedBegin', { stream: id, object }))
    },
    conditions: (data) => call('conditions', { data }),
    waiting: call.waiting,
    lag: owed.seconds,
    octets: () => held.octets,
    onFailure: (listener) => void failed.promise.catch(listener),
    close: async () => {
      await call('close', undefined)
      await worker.terminate()
    },
  }
}

const isReached = async (
  call: Call<StorageMethods>,
  { log }: StoragePlace,
  onAway: (error: GatewayError) => Promise<void>,
): Promise<boolean> => {
  try {
    await call('head', undefined)
    return true
  } catch (error) {
    const failure = asGatewayError(error)
    if (log.engine === 'sqlite' || failure.code !== 'storage-failed') throw error
    await onAway(failure)
    return false
  }
}

const remoteLog = (call: Call<StorageMethods>, owed: Owed): Storage['log'] => ({
  append: (append) => owed.until(call('append', append)),
  readStream: (stream, revision, limit) => call('readStream', { stream, revision, limit }),
  readLast: (stream) => call('readLast', { stream }),
  readAll: (position, limit) => call('readAll', { position, limit }),
  findEvents: (look) => call('findEvents', look),
  head: () => call('head', undefined),
  close: () => Promise.resolve(),
})

type Receiving = {
  readonly call: Call<StorageMethods>
  readonly owed: Owed
  /** What all messages hold. */
  readonly held: { octets: number; messages: number }
  readonly stream: number
}

/** One piece is fetched while the one before is being stored. */
const receive = async (
  { call, owed, held, stream }: Receiving,
  delivery: Delivery,
  body: AsyncIterable<Uint8Array>,
  checks: Promise<SenderChecks | undefined> | undefined,
): Promise<Receipt> => {
  let own = 0
  let over = false
  const count = (octets: number) => {
    own += octets
    held.octets += octets
  }
  const stored = async (octets: number, storing: Promise<void>) => {
    await storing
    if (!over) count(-octets)
  }
  const cut = cutPieces(counted(body, count), () => pieceShare(held.messages))
  const next = async (): Promise<Piece> => {
    const { value: piece } = await cut.next()
    if (!piece) throw new GatewayError('connection-lost')
    return piece
  }
  held.messages += 1
  try {
    let piece = await next()
    if (piece.done) {
      const whole = { delivery, body: piece.bytes, checks: await checks }
      return await owed.until(call('receive', whole, [piece.bytes.buffer]))
    }
    let storing: Promise<void> = call('receiveBegin', { stream, delivery })
    try {
      for (; ; piece = await next()) {
        await storing
        const { byteLength } = piece.bytes
        octetsPassed(byteLength)
        storing = stored(
          byteLength,
          owed.until(call('receiveMore', { stream, piece: piece.bytes }, [piece.bytes.buffer])),
        )
        storing.catch(() => undefined) // thrown where it is awaited
        if (!piece.done) continue
        await storing
        const end = { stream, checks: await checks }
        return await owed.until(call('receiveEnd', end))
      }
    } catch (error) {
      await call('receiveAbort', { stream })
      throw error
    }
  } finally {
    over = true
    held.octets -= own
    held.messages -= 1
    // Who reads the body on its way has to know that nobody wants the rest.
    void cut.return().catch(() => undefined)
  }
}

async function* counted(body: AsyncIterable<Uint8Array>, count: (octets: number) => void) {
  for await (const chunk of body) {
    count(chunk.byteLength)
    yield chunk
  }
}

/** One piece is fetched while the one before is being used. */
async function* pieces(call: Call<StorageMethods>, stream: number, begin: () => Promise<Piece>) {
  let finished = false
  try {
    let coming = begin()
    for (;;) {
      const { bytes, done } = await coming
      finished = done
      if (!done) {
        coming = call('more', { stream })
        coming.catch(() => undefined) // thrown where it is awaited
      }
      octetsPassed(bytes.byteLength)
      if (bytes.byteLength > 0) yield bytes as Uint8Array
      if (done) return
    }
  } finally {
    if (!finished) void call('cancel', { stream }).catch(() => undefined)
  }
}
