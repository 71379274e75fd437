import { asGatewayError, type GatewayError } from './errors.ts'
import type { Recorded } from './events.ts'
import type { Append, Appended, EventLog } from './ports.ts'
import type { StreamName } from './streams.ts'

/** Attempts when others write the same stream at the same time, or when an append's outcome stays unknown. */
const attempts = 5

/** The events of a stream from a revision on. */
export async function* eventsOf(
  log: Pick<EventLog, 'readStream'>,
  stream: StreamName,
  from = 0,
): AsyncGenerator<Recorded> {
  const limit = 500
  for (let revision = from; ; revision += limit) {
    const events = await log.readStream(stream, revision, limit)
    yield* events
    if (events.length < limit) return
  }
}

/**
 * Appends; asks again, as the same command, as long as nobody knows whether it was written. Once that is open, a log that
 * refuses the repeat says nothing of the first attempt: only another writer's event in its place (`revision-conflict`)
 * shows that it came to nothing, and anything else is `outcome-unknown`.
 */
export const appendSurely = async (log: Pick<EventLog, 'append'>, append: Append): Promise<Appended> => {
  let open: GatewayError | undefined
  for (let attempt = 1; ; attempt++) {
    try {
      return await log.append(append)
    } catch (error) {
      const { code } = asGatewayError(error)
      if (code === 'revision-conflict') throw error
      if (code === 'outcome-unknown') open = asGatewayError(error)
      if (!open) throw error
      if (attempt === attempts) throw open
    }
  }
}

/** Does it again if somebody else was first. */
export const whileConflicting = async <T>(work: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (asGatewayError(error).code !== 'revision-conflict' || attempt === attempts) throw error
    }
  }
}
