import { isSurelyNotWritten } from '../core/errors.ts'
import type { Cause, Fact, Stamp } from '../core/events.ts'
import { newCommandId } from '../core/ids.ts'
import type { Appended, Clock, EventLog, KeyStore } from '../core/ports.ts'
import type { StreamName } from '../core/streams.ts'
import { appendSurely } from '../core/appending.ts'

/** The log says who there is, the key store what each has to show: hashes and digests, which are no facts. */
export type AccessParts = {
  readonly log: Pick<EventLog, 'append' | 'readStream'>
  readonly keys: KeyStore
  readonly stamp: Stamp
  readonly clock: Clock
}

export type AccessChange = {
  readonly stream: StreamName
  /** How many events of the stream the decision rests on. */
  readonly next: number
  readonly fact: Fact
  readonly cause: Cause
}

/** Appends what was decided; rejects with `revision-conflict` when something came between. */
export const appendChange = ({ log, stamp }: AccessParts, { stream, next, fact, cause }: AccessChange) => {
  const expected = next === 0 ? 'no-stream' : next - 1
  return appendSurely(log, { stream, expected, commandId: newCommandId(), events: [stamp(fact, cause)] })
}

/**
 * Keys before log: `key` is durable before the event that names it, and is removed again where that was surely not written. One
 * that stays without its event opens nothing.
 */
export const appendWithKey = async (
  parts: AccessParts,
  key: { readonly name: string; readonly value: object },
  change: AccessChange,
): Promise<Appended> => {
  await parts.keys.put(key.name, Buffer.from(`${JSON.stringify(key.value)}\n`))
  try {
    return await appendChange(parts, change)
  } catch (error) {
    if (isSurelyNotWritten(error)) await parts.keys.remove(key.name).catch(() => undefined)
    throw error
  }
}

/** What `appendWithKey` has stored; undefined when it is not there or not of that form. */
export const keyIn = async (
  { keys }: Pick<AccessParts, 'keys'>,
  name: string,
): Promise<Readonly<Record<string, unknown>> | undefined> => {
  const stored = await keys.get(name)
  if (!stored) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(stored).toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    // Not JSON: whoever has to show what it holds cannot.
    return undefined
  }
}
