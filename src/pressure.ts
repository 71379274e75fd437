import type { Limits } from './config.ts'
import type { PutOff } from './core/putOff.ts'
import type { Clock } from './core/ports.ts'
import { sourceOf } from './core/sourceAddress.ts'

export type Pressure = {
  /**
   * Why a peer may not begin a message now; one that may is counted. `size` as announced, 0 when it was not. Asked before any
   * of the message is taken: what has begun goes on.
   */
  putOff(remoteAddress: string, size: number): PutOff | undefined
  close(): void
}

export type PressureParts = {
  /** As they are now. */
  readonly limits: Pick<Limits, 'messagesPerMinute' | 'diskReserve' | 'logLag'>
  /** Octets of room where there is least; undefined where that cannot be told: then the write says. */
  readonly free: () => Promise<number | undefined>
  readonly isFull: () => boolean
  /** Seconds for which the storage has owed its oldest answer, or the mailboxes what the log says of them. */
  readonly lag: () => number
  readonly clock: Clock
}

/** Milliseconds between looks at the disks: at 500 MB/s that is half of the reserve. */
const lookEvery = 500
/** Addresses counted one by one within a minute; further ones share one count. */
const maxSources = 100_000

export const watchPressure = ({ limits, free, isFull, lag, clock }: PressureParts): Pressure => {
  const begun = perMinute(clock)
  let room: number | undefined
  let looking = false
  const look = async () => {
    if (looking) return
    looking = true
    room = await free().catch(() => undefined)
    looking = false
  }
  void look()
  const timer = setInterval(() => void look(), lookEvery).unref()
  return {
    putOff: (remoteAddress, size) => {
      if (room !== undefined && limits.diskReserve > 0 && room - size < limits.diskReserve) return 'disk-reserve'
      if (lag() > limits.logLag) return 'log-lag'
      if (isFull()) return 'bytes-in-flight'
      return begun(sourceOf(remoteAddress), limits.messagesPerMinute) ? undefined : 'too-many-messages'
    },
    close: () => clearInterval(timer),
  }
}

/** Counts one more of a source within the minute of the clock, if it has not had its number. */
const perMinute = (clock: Clock) => {
  const counts = new Map<string, number>()
  let minute = 0
  return (source: string, most: number): boolean => {
    const now = Math.floor(clock.now().getTime() / 60_000)
    if (now !== minute) counts.clear()
    minute = now
    const name = counts.has(source) || counts.size < maxSources ? source : ''
    const count = counts.get(name) ?? 0
    if (count < most) counts.set(name, count + 1)
    return count < most
  }
}
