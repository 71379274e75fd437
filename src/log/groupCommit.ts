import { asGatewayError, GatewayError } from '../core/errors.ts'
import type { Appended } from '../core/ports.ts'
import { notWritten, type Storable } from './storedEvent.ts'

/** Appends in one transaction: more would only make the first of them wait. */
const batchLimit = 1_000
/** Octets in one transaction, so that it stays well inside the write-ahead log's usual size. */
const batchOctets = 4 * 1024 * 1024
/** Appends that wait. Sessions are limited to far fewer; past this something runs wild. */
const queueLimit = 20_000

export type CommitLog = {
  /**
   * Writes all in one durable transaction, each append with its own outcome. Throws when none was written
   * (`storage-full`, `not-written`) or when that is not known (`outcome-unknown`).
   */
  write(batch: readonly Storable[]): readonly (Appended | GatewayError)[]
  /** Housekeeping after a commit was answered. A failure here is as fatal as one of `write`. */
  tidy(): void
  /** The last housekeeping, of a log that has not failed. */
  finish(): void
}

export type GroupCommit = {
  append(append: Storable): Promise<Appended>
  /** Writes what waits; later appends are refused with `not-written`. Throws what `finish` throws. */
  close(): void
}

type Waiting = {
  readonly append: Storable
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: GatewayError) => void
}

/**
 * Whatever has queued while the thread was busy is committed together. A failed fsync is fatal: after it the kernel may
 * have dropped what it could not write, so nothing is retried, every later append is refused with `storage-failed`, and
 * `onFatal` is told once.
 */
export const groupCommit = (
  log: CommitLog,
  { onCommitted, onFatal }: { readonly onCommitted: () => void; readonly onFatal: (error: GatewayError) => void },
): GroupCommit => {
  let queue: Waiting[] = []
  let closed = false
  let fatal: GatewayError | undefined

  const refusal = (): GatewayError | undefined => {
    if (fatal !== undefined) return new GatewayError('storage-failed', { cause: fatal })
    if (closed) return notWritten('the log is closed')
    if (queue.length >= queueLimit) return notWritten(`${queueLimit} appends are waiting already`)
    return undefined
  }

  const die = (error: GatewayError) => {
    fatal = error
    const refused = queue
    queue = []
    refused.forEach(({ reject }) => reject(new GatewayError('storage-failed', { cause: error })))
    onFatal(error)
  }

  const tidy = () => {
    if (closed || fatal !== undefined) return
    try {
      log.tidy()
    } catch (error) {
      die(asGatewayError(error))
    }
  }

  const flush = () => {
    const batch = nextBatch(queue)
    if (batch.length === 0) return
    queue = queue.slice(batch.length)
    if (queue.length > 0) setImmediate(flush)
    try {
      settle(batch, log.write(batch.map(({ append }) => append)))
    } catch (error) {
      const failure = asGatewayError(error)
      batch.forEach(({ reject }) => reject(failure))
      if (failure.code === 'outcome-unknown') die(failure)
      return
    }
    onCommitted()
    // The answers go out first.
    setImmediate(tidy)
  }

  return {
    append: (append) => {
      const refused = refusal()
      if (refused !== undefined) return Promise.reject(refused)
      if (queue.length === 0) setImmediate(flush)
      return new Promise((resolve, reject) => queue.push({ append, resolve, reject }))
    },
    close: () => {
      closed = true
      while (queue.length > 0) flush()
      if (fatal === undefined) log.finish()
    },
  }
}

const nextBatch = (queue: readonly Waiting[]): readonly Waiting[] => {
  let octets = 0
  const end = queue.findIndex(({ append }, index) => {
    octets += append.octets
    return index > 0 && (index >= batchLimit || octets > batchOctets)
  })
  return end === -1 ? queue : queue.slice(0, end)
}

const settle = (batch: readonly Waiting[], outcomes: readonly (Appended | GatewayError)[]) => {
  batch.forEach(({ resolve, reject }, index) => {
    const outcome = outcomes[index] ?? new GatewayError('internal')
    if (outcome instanceof GatewayError) reject(outcome)
    else resolve(outcome)
  })
}
