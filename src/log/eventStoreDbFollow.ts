import { setTimeout as delay } from 'node:timers/promises'
import { asGatewayError, type GatewayError } from '../core/errors.ts'
import type { Recorded } from '../core/events.ts'
import type { EventLog, Subscription } from '../core/ports.ts'
import type { Followed, StoreClient, StoreEvent, StoreFollowing, StorePosition } from './eventStoreDbClient.ts'
import { StoreFailure } from './eventStoreDbFailure.ts'
import { storePositionOf } from './eventStoreDbPosition.ts'

/** Events in one delivery at most. */
const pageSize = 1_000
/** Milliseconds between attempts to subscribe again: at first, and at most. */
const pauses = { first: 100, longest: 5_000 }

export type FollowParts = {
  readonly client: Pick<StoreClient, 'follow'>
  readonly recorded: (event: StoreEvent) => Recorded
  /** What may never be waited out: the error that ends the subscription; undefined for what may pass. */
  readonly fatal: (failure: StoreFailure) => GatewayError | undefined
  /** The subscription is away, with the reason, or there again with undefined: events may come late meanwhile. */
  readonly onState: (away: StoreFailure | undefined) => void
}

export type Follower = Subscription & { readonly ended: Promise<void> }

/**
 * Delivers page after page; subscribes again, from what was delivered or the filter's last checkpoint, whenever the store
 * drops the subscription, which it does not restore itself. Ends by `close`, by a delivery that fails, by an event that
 * cannot be read, and by what is `fatal`.
 */
export const followStore = (
  parts: FollowParts,
  [position, onEvents, onEnd]: Parameters<EventLog['subscribe']>,
): Follower => {
  const closing = new AbortController()
  const isOver = () => closing.signal.aborted
  let following: StoreFollowing | undefined

  const deliverUntilDropped = async (from: StorePosition | 'start', onPage: (reached: StorePosition) => void) => {
    following = parts.client.follow(from, () => parts.onState(undefined))
    try {
      for (;;) {
        const page = await following.next(pageSize)
        if (isOver()) return
        const { events, unreadable } = factsIn(page, parts.recorded)
        if (events.length > 0) await delivered(onEvents, events)
        if (unreadable) throw unreadable
        onPage(placeOf(page.at(-1) as Followed)) // a page is never empty
      }
    } finally {
      following.close()
    }
  }

  const run = async () => {
    let from = storePositionOf(position)
    let pause = pauses.first
    while (!isOver()) {
      try {
        await deliverUntilDropped(from, (reached) => {
          from = reached
          pause = pauses.first
        })
      } catch (error) {
        if (isOver()) return
        if (!(error instanceof StoreFailure)) throw error
        const fatal = parts.fatal(error)
        if (fatal) throw fatal
        parts.onState(error)
        await delay(pause, undefined, { signal: closing.signal }).catch(() => undefined)
        pause = Math.min(2 * pause, pauses.longest)
      }
    }
  }

  const ended = Promise.try(run).catch((error: unknown) => {
    onEnd(error instanceof Undelivered ? error.cause : asGatewayError(error))
  })
  return {
    ended,
    close: () => {
      closing.abort()
      following?.close()
      return ended
    },
  }
}

/** The page's events up to the first that cannot be read, and why it cannot. */
const factsIn = (page: readonly Followed[], recorded: FollowParts['recorded']) => {
  const events: Recorded[] = []
  for (const followed of page) {
    if ('checkpoint' in followed) continue
    try {
      events.push(recorded(followed))
    } catch (error) {
      return { events, unreadable: asGatewayError(error) }
    }
  }
  return { events, unreadable: undefined }
}

const placeOf = (followed: Followed) => ('checkpoint' in followed ? followed.checkpoint : followed.position)

/** The subscriber's own failure, whatever it is: never to be taken for the store's. */
class Undelivered extends Error {}

const delivered = async (onEvents: Parameters<EventLog['subscribe']>[1], events: readonly Recorded[]) => {
  try {
    await onEvents(events)
  } catch (cause) {
    throw new Undelivered('a delivery failed', { cause })
  }
}
