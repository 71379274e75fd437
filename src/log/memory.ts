import { GatewayError } from '../core/errors.ts'
import type { Appended, Clock, EventLog } from '../core/ports.ts'
import { catchUps } from './catchUp.ts'
import { readable } from './readable.ts'
import {
  appendedBy,
  conflicts,
  notWritten,
  numberOf,
  positionOf,
  type Storable,
  storable,
  type StoredEvent,
  timeAfter,
} from './storedEvent.ts'

/** The log in memory, for tests and as the other adapters' oracle: nothing of it outlives the process. */
export const memoryLog = ({ clock }: { readonly clock: Clock }): EventLog => {
  const all: StoredEvent[] = []
  const streams = new Map<string, StoredEvent[]>()
  let closed = false

  const put = ({ stream, expected, events }: Storable): Appended => {
    const existing = streams.get(stream) ?? []
    const earlier = earlierAnswer(existing, events)
    if (earlier !== undefined) return earlier
    if (conflicts(expected, existing.length - 1)) throw new GatewayError('revision-conflict')
    const recordedAt = timeAfter(all.at(-1)?.recordedAt ?? '', clock.now())
    for (const event of events) {
      const stored = { ...event, stream, revision: existing.length, position: all.length + 1, recordedAt }
      existing.push(stored)
      all.push(stored)
    }
    streams.set(stream, existing)
    followers.wake()
    return { revision: existing.length - 1, position: positionOf(all.length) }
  }

  const readAll: EventLog['readAll'] = (position, limit) =>
    Promise.try(() => {
      const from = numberOf(position)
      return all.slice(from, from + limit).map(readable)
    })
  const followers = catchUps(readAll)

  return {
    append: (append) =>
      Promise.try(() => {
        if (closed) throw notWritten('the log is closed')
        return put(storable(append))
      }),
    readStream: (stream, revision, limit) =>
      Promise.try(() => (streams.get(stream) ?? []).slice(revision, revision + limit).map(readable)),
    readLast: (stream) => Promise.try(() => streams.get(stream)?.slice(-1).map(readable)[0]),
    readAll,
    head: () => Promise.resolve(positionOf(all.length)),
    subscribe: followers.subscribe,
    close: async () => {
      await followers.close()
      closed = true
    },
  }
}

const earlierAnswer = (existing: readonly StoredEvent[], events: Storable['events']): Appended | undefined => {
  if (!existing.some(({ id }) => id === events[0]?.id)) return undefined
  const last = existing.find(({ id }) => id === events.at(-1)?.id)
  if (last === undefined) throw notWritten('the command id was used for another append')
  return appendedBy(last)
}
