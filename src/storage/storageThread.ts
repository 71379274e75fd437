import { parentPort, workerData } from 'node:worker_threads'
import { createArchive, type Delivery } from '../archive.ts'
import { GatewayError } from '../core/errors.ts'
import { findEvents, type Look } from '../core/eventSearch.ts'
import { type Cause, type SenderChecks, stamper } from '../core/events.ts'
import type { Position, SessionId, VaultKey } from '../core/ids.ts'
import { type Append, systemClock } from '../core/ports.ts'
import type { StreamName } from '../core/streams.ts'
import { type Condition, conditionOf } from '../disk/condition.ts'
import { markOf } from '../disk/mark.ts'
import { keyFiles } from '../keys/keyFiles.ts'
import type { Unlocked } from '../keys/unlock.ts'
import { type LogPlace, openLog } from '../log/openLog.ts'
import { createRetrieve, type SealedMessage } from '../retrieve.ts'
import { openVault, type VaultPlace } from '../vault/openVault.ts'
import { spending } from '../spent.ts'
import { answerCalls, Transferred } from './calls.ts'
import { keyMethods } from './keyMethods.ts'
import { cutPieces, type Piece, pieceSize } from './octets.ts'
import { octetsPassed } from './sweep.ts'
import { inHalves } from './turns.ts'
import { unsafeDisk } from './unsafeDisk.ts'

// The storage thread: owns the log, the vault and the unlocked identities, and runs what needs all of them. The main
// thread never waits for a disk, and plaintext crosses to it only on its way to the peer.

export type StoragePlace = {
  readonly log: LogPlace
  readonly vault: VaultPlace
  readonly keysDir: string
  readonly node: string
}

/** Where the gateway writes. */
export type Conditions = Readonly<Record<'data' | 'vault' | 'keys', Condition>>

/** A failed fsync leaves what is on the disk unknown: the process must stop, and what is durable is read again. */
const onFatal = (cause: unknown) => {
  setImmediate(() => {
    throw unsafeDisk(cause)
  })
}

const openStorage = async (place: StoragePlace) => {
  const clock = systemClock
  const log = await openLog(place.log, { clock, onFatal })
  const vault = openVault(place.vault, onFatal)
  const keys = keyFiles({ dir: place.keysDir })
  const stamp = stamper(place.node, () => clock.now())
  const archive = createArchive({ log, vault, stamp })
  const retrieve = createRetrieve({ log, vault, stamp })
  return { log, vault, keys, archive, retrieve }
}

/** Messages that never wait for their turn: so few gain nothing by it. */
const turnsAtLeast = 8

/** Streams of this thread that the other side reads or writes piece by piece, by a number of its choice. */
type Incoming = {
  readonly writer: WritableStreamDefaultWriter<Uint8Array>
  readonly receipt: Promise<unknown>
  readonly checked: (checks: SenderChecks | undefined) => void
}

const handedOver = (piece: Piece) => new Transferred(piece, [piece.bytes.buffer])

export const storageMethods = async (place: StoragePlace) => {
  const { log, vault, keys, archive, retrieve } = await openStorage(place)
  const unlocked = new Map<SessionId, readonly Unlocked[]>()
  const incoming = new Map<number, Incoming>()
  const outgoing = new Map<number, AsyncGenerator<Piece, void>>()
  const turn = inHalves(turnsAtLeast)
  const marks = { vault: markOf(place.vault.dir), keys: markOf(place.keysDir) }

  const next = async (stream: number) => {
    const pieces = outgoing.get(stream)
    if (!pieces) throw new GatewayError('connection-lost')
    try {
      const { value: piece } = await pieces.next()
      if (!piece) throw new GatewayError('connection-lost')
      octetsPassed(piece.bytes.byteLength)
      if (piece.done) outgoing.delete(stream)
      return handedOver(piece)
    } catch (error) {
      outgoing.delete(stream)
      throw error
    }
  }
  const begin = (stream: number, chunks: AsyncIterable<Uint8Array>) => {
    outgoing.set(
      stream,
      cutPieces(chunks, () => pieceSize),
    )
    return next(stream)
  }

  return {
    append: (append: Append) => log.append(append),
    readStream: (q: { stream: StreamName; revision: number; limit: number }) =>
      log.readStream(q.stream, q.revision, q.limit),
    readLast: (q: { stream: StreamName }) => log.readLast(q.stream),
    readAll: (q: { position: Position; limit: number }) => log.readAll(q.position, q.limit),
    findEvents: (look: Look) => findEvents(log, look),
    head: () => log.head(),

    ...keyMethods(keys, unlocked),

    /** A message that fits into one piece. */
    receive: (q: { delivery: Delivery; body: Uint8Array; checks: SenderChecks | undefined }) =>
      turn(() => archive.receive(q.delivery, spending(once(q.body)), Promise.resolve(q.checks))),
    /** A larger one: `receiveBegin`, `receiveMore` for each piece, then `receiveEnd` or `receiveAbort`. */
    receiveBegin: (q: { stream: number; delivery: Delivery }) => {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
      const checks = Promise.withResolvers<SenderChecks | undefined>()
      const receipt = archive.receive(q.delivery, spending(readable), checks.promise)
      // Its failure is the answer to receiveMore or receiveEnd. A body that was never read must let go of its writer.
      // Cancelling one that has failed already fails too, and says nothing new.
      receipt.catch((error: unknown) => (readable.locked ? undefined : readable.cancel(error))).catch(() => undefined)
      incoming.set(q.stream, { writer: writable.getWriter(), receipt, checked: checks.resolve })
    },
    receiveMore: async (q: { stream: number; piece: Uint8Array }) => {
      const { writer, receipt } = incomingOf(incoming, q.stream)
      octetsPassed(q.piece.byteLength)
      // If the archive fails, the write fails for that or never settles: the archive's failure is the answer.
      await Promise.race([writer.write(q.piece).catch(() => receipt), receipt])
    },
    receiveEnd: async (q: { stream: number; checks: SenderChecks | undefined }) => {
      const { writer, receipt, checked } = incomingOf(incoming, q.stream)
      incoming.delete(q.stream)
      checked(q.checks)
      writer.close().catch(() => undefined)
      return (await receipt) as Awaited<ReturnType<typeof archive.receive>>
    },
    receiveAbort: async (q: { stream: number }) => {
      const aborted = incoming.get(q.stream)
      incoming.delete(q.stream)
      aborted?.writer.abort(new GatewayError('connection-lost')).catch(() => undefined)
      await aborted?.receipt.catch(() => undefined)
    },

    retrieveBegin: (q: { stream: number; message: SealedMessage; sessionId: SessionId; cause: Cause }) => {
      const identities = (unlocked.get(q.sessionId) ?? []).map(({ identity }) => identity)
      return begin(q.stream, retrieve({ ...q, identities }))
    },
    sealedBegin: (q: { stream: number; object: VaultKey }) => begin(q.stream, vault.open(q.object)),
    remove: async (q: { objects: readonly VaultKey[] }) => {
      await Promise.all(q.objects.map((object) => vault.remove(object)))
    },
    /** The next piece of a stream that was begun. */
    more: (q: { stream: number }) => next(q.stream),
    cancel: async (q: { stream: number }) => {
      const pieces = outgoing.get(q.stream)
      outgoing.delete(q.stream)
      await pieces?.return()
    },

    conditions: (q: { data: string }): Conditions => ({
      data: conditionOf(q.data),
      vault: conditionOf(place.vault.dir, marks.vault),
      keys: conditionOf(place.keysDir, marks.keys),
    }),

    close: async () => {
      await log.close()
      await vault.close()
    },
  }
}

export type StorageMethods = Awaited<ReturnType<typeof storageMethods>>

async function* once(bytes: Uint8Array) {
  await Promise.resolve()
  yield bytes
}

const incomingOf = (incoming: ReadonlyMap<number, Incoming>, stream: number) => {
  const found = incoming.get(stream)
  if (!found) throw new GatewayError('connection-lost')
  return found
}

if (parentPort) answerCalls(parentPort, () => storageMethods(workerData as StoragePlace))
