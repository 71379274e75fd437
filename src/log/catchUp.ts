import { setImmediate } from 'node:timers/promises'
import { asFarAsReadable } from '../core/asFarAsReadable.ts'
import type { EventLog, Subscription } from '../core/ports.ts'

/** Events in one delivery at most. */
const pageSize = 1_000

/** The subscriptions of one log. */
export type CatchUps = {
  readonly subscribe: EventLog['subscribe']
  /** To be called after every commit that `readAll` can see. */
  wake(): void
  /** Ends every subscription; resolves when no delivery is running any more. */
  close(): Promise<void>
}

/**
 * Subscriptions by reading: page after page from `readAll`, then a page whenever woken. What exists and what comes is
 * read in the same way, so that going live can neither leave a gap nor deliver twice.
 * `Subscription.close` waits for a running delivery: a delivery that awaits it waits for itself.
 */
export const catchUps = (readAll: EventLog['readAll']): CatchUps => {
  const running = new Set<Follower>()
  return {
    subscribe: (...subscriber) => {
      const follower = follow(readAll, subscriber)
      running.add(follower)
      void follower.ended.then(() => running.delete(follower))
      return { close: () => follower.close() }
    },
    wake: () => running.forEach((follower) => follower.wake()),
    close: async () => {
      await Promise.all([...running].map((follower) => follower.close()))
    },
  }
}

type Follower = Subscription & { readonly ended: Promise<void>; wake(): void }

const follow = (
  readAll: EventLog['readAll'],
  [position, onEvents, onEnd]: Parameters<EventLog['subscribe']>,
): Follower => {
  const bell = newBell()
  let closed = false
  const isOpen = () => !closed
  const deliver = async () => {
    let after = position
    while (isOpen()) {
      bell.silence()
      const { events } = await asFarAsReadable((limit) => readAll(after, limit), pageSize)
      const last = events.at(-1)
      if (last === undefined) await bell.rung()
      else if (isOpen()) await onEvents(events)
      after = last?.position ?? after
      // A long catch-up must not keep the thread's sockets, timers and commits waiting.
      await setImmediate()
    }
  }
  const ended = deliver().catch(onEnd)
  const close = () => {
    closed = true
    bell.ring()
    return ended
  }
  return { ended, close, wake: () => bell.ring() }
}

/** Remembers a ring until it is silenced: silenced before a read, it misses nothing that happens during the read. */
const newBell = () => {
  let ringing = false
  let answer = () => {}
  return {
    silence: () => {
      ringing = false
    },
    ring: () => {
      ringing = true
      answer()
    },
    rung: () =>
      new Promise<void>((resolve) => {
        if (ringing) resolve()
        else answer = resolve
      }),
  }
}
