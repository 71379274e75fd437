import type { OpenPacks } from './openPacks.ts'
import type { Pack } from './pack.ts'
import type { Place } from './place.ts'

/** Small objects written and removed in groups: one transaction and one flush for all that have queued. */
export type GroupCommit = {
  /** Resolves when durable, with whether it was inserted: false when an object of that key is there already. */
  insert(place: Place, sealed: Uint8Array): Promise<boolean>
  /** Resolves when durable, with whether there was one. */
  remove(place: Place): Promise<boolean>
  /** Writes at once what has queued. */
  flush(): void
}

type Change = {
  readonly place: Place
  /** Octets that it adds to the transaction, about. */
  readonly weight: number
  readonly apply: (pack: Pack) => boolean
  readonly resolve: (applied: boolean) => void
  readonly reject: (error: unknown) => void
}

/** One transaction's bounds: they bound how long the thread is held, and what a full disk refuses at once. */
const changesAtOnce = 500
const octetsAtOnce = 32 << 20
/** A removal may write as much as the largest row. */
const weightOfRemoval = 256 << 10

/** The changes of the first one's day, in their order, as many as one transaction takes; and those that stay. */
const splitBatch = (queue: readonly Change[]): readonly [batch: readonly Change[], rest: Change[]] => {
  const ofDay = queue.filter(({ place }) => place.day === queue[0]?.place.day)
  let octets = 0
  const end = ofDay.findIndex(({ weight }, index) => {
    octets += weight
    return index === changesAtOnce || (index > 0 && octets > octetsAtOnce)
  })
  const batch = end === -1 ? ofDay : ofDay.slice(0, end)
  const taken = new Set(batch)
  return [batch, queue.filter((change) => !taken.has(change))]
}

const writeBatch = (packs: OpenPacks, day: string, batch: readonly Change[]): readonly boolean[] => {
  const pack = packs.forWriting(day)
  const outcomes: boolean[] = []
  pack.transact(() => {
    for (const change of batch) outcomes.push(change.apply(pack))
  })
  return outcomes
}

type Watch = {
  /** Turns whatever was thrown into the failure that the callers of that batch get. */
  readonly fail: (error: unknown) => Error
  /** Throws when nothing may be written any more. */
  readonly checkSound: () => void
}

export const groupCommit = (packs: OpenPacks, { fail, checkSound }: Watch): GroupCommit => {
  let queue: Change[] = []
  let scheduled = false

  const checkpointWhenDue = (day: string) => {
    try {
      packs.ifOpen(day)?.checkpointWhenDue()
    } catch (error) {
      // Nothing is lost: the log has it all, and the next checkpoint tries again. Only a failed flush must be heard of.
      fail(error)
    }
  }
  const flushOne = () => {
    const [batch, rest] = splitBatch(queue)
    queue = rest
    const day = batch[0]?.place.day
    if (day === undefined) return
    try {
      checkSound()
      const outcomes = writeBatch(packs, day, batch)
      batch.forEach((change, index) => change.resolve(outcomes[index] === true))
    } catch (error) {
      const failure = fail(error)
      for (const change of batch) change.reject(failure)
    }
    // Later, so that the acknowledgements leave first.
    setImmediate(checkpointWhenDue, day)
  }
  const onTurn = () => {
    scheduled = false
    flushOne()
    if (queue.length > 0) schedule()
  }
  const schedule = () => {
    if (scheduled) return
    scheduled = true
    setImmediate(onTurn)
  }
  const enqueue = (place: Place, weight: number, apply: Change['apply']) =>
    new Promise<boolean>((resolve, reject) => {
      queue.push({ place, weight, apply, resolve, reject })
      schedule()
    })
  return {
    insert: (place, sealed) => enqueue(place, sealed.length, (pack) => pack.insert(place.id, sealed)),
    remove: (place) => enqueue(place, weightOfRemoval, (pack) => pack.delete(place.id)),
    flush: () => {
      while (queue.length > 0) flushOne()
    },
  }
}
