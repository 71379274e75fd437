import { createHmac, randomBytes } from 'node:crypto'
import type { Clock } from '../core/ports.ts'
import { backOff } from './backOff.ts'
import { recentSuccesses } from './recentSuccesses.ts'
import { sourceOf } from '../core/sourceAddress.ts'

/**
 * Makes guessing passwords slow. After `admit` has answered 0, exactly one of `failed`, `succeeded` or `abandoned` (the try
 * came to no answer) follows, or after a minute the try is taken for abandoned. `source` is the peer's address;
 * `mailbox` the mailbox's id or, where none is known, the name that was typed.
 */
export type GuessingGuard = {
  /**
   * Milliseconds to wait; 0 when the peer may try now, and has begun to. `unguessable` is said of a mailbox whose password is a
   * random one: what others have failed there makes nobody wait.
   */
  admit(source: string, mailbox: string, unguessable?: boolean): number
  /** The same without beginning to try. */
  wait(source: string, mailbox: string): number
  /** Whether the address opened the mailbox lately. */
  knows(source: string, mailbox: string): boolean
  failed(source: string, mailbox: string): void
  succeeded(source: string, mailbox: string): void
  abandoned(source: string, mailbox: string): void
}

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/**
 * One address (an IPv6 /64): 8 tries in its first minute if all are begun before one has failed, else 6; then fewer, in
 * the end 4 an hour. Clients that fetch many mailboxes at once need the 8.
 */
const perSource = { burst: 8, first: second, longest: 15 * minute, forgottenAfter: hour, capacity: 65_536 }

/** An office behind one address: its mail programs all log in at once after a start of the gateway. */
export const officeBurst = 64

/** One mailbox, from everywhere: 1 a minute in the end. Who is quicker each minute keeps its owner out at a new address. */
const perMailbox = { burst: 8, first: second, longest: minute, forgottenAfter: hour, capacity: 65_536 }

/** One address at a mailbox that it opened lately: it waits for its own failures there, and for no others' there. */
const perPair = { burst: 2, first: second, longest: minute, forgottenAfter: hour, capacity: 65_536 }

const lately = { lately: 7 * day, sourcesPerMailbox: 16, mailboxes: 16_384 }

/**
 * The guard, in memory only. An address that opened a mailbox lately is held back there neither by others' failures nor by
 * its own at other mailboxes; once it fails there too, by all of its own, until it succeeds again.
 */
export const guessingGuard = (clock: Clock, burst = perSource.burst): GuessingGuard => {
  const sources = backOff(clock, { ...perSource, burst })
  const mailboxes = backOff(clock, perMailbox)
  const pairs = backOff(clock, perPair)
  const successes = recentSuccesses(clock, lately)

  // A typed name may be anything, even a password in the wrong place: only a digest that dies with the process is kept.
  const secret = randomBytes(32)
  const digest = (text: string) => createHmac('sha256', secret).update(text).digest('base64')
  const keysOf = (remoteAddress: string, mailbox: string) => {
    const source = sourceOf(remoteAddress)
    const name = digest(mailbox)
    return { source, name, pair: `${source} ${name}` }
  }
  type Keys = ReturnType<typeof keysOf>

  const waitOf = ({ source, name, pair }: Keys, unguessable = false): number => {
    if (!successes.has(name, source)) return Math.max(sources.wait(source), unguessable ? 0 : mailboxes.wait(name))
    return pairs.hasFailed(pair) ? Math.max(sources.wait(source), pairs.wait(pair)) : pairs.wait(pair)
  }
  const settled = ({ source, name, pair }: Keys) => {
    sources.settled(source)
    mailboxes.settled(name)
    pairs.settled(pair)
  }
  return {
    wait: (remoteAddress, mailbox) => waitOf(keysOf(remoteAddress, mailbox)),
    knows: (remoteAddress, mailbox) => {
      const { source, name } = keysOf(remoteAddress, mailbox)
      return successes.has(name, source)
    },
    admit: (remoteAddress, mailbox, unguessable) => {
      const keys = keysOf(remoteAddress, mailbox)
      const wait = waitOf(keys, unguessable)
      if (wait > 0) return wait
      sources.begin(keys.source)
      mailboxes.begin(keys.name)
      // Only pairs that count: a flood of others must not push these out.
      if (successes.has(keys.name, keys.source)) pairs.begin(keys.pair)
      return 0
    },
    failed: (remoteAddress, mailbox) => {
      const { source, name, pair } = keysOf(remoteAddress, mailbox)
      sources.failed(source)
      mailboxes.failed(name)
      if (successes.has(name, source)) pairs.failed(pair)
    },
    succeeded: (remoteAddress, mailbox) => {
      const keys = keysOf(remoteAddress, mailbox)
      settled(keys)
      pairs.forget(keys.pair)
      successes.add(keys.name, keys.source)
    },
    abandoned: (remoteAddress, mailbox) => settled(keysOf(remoteAddress, mailbox)),
  }
}
