import type { Clock, KeyStore } from '../../core/ports.ts'
import { acmePrefix } from './store.ts'

/** Whose turn it is to order, and when the next may begin; in the key store, so that a restart forgets nothing. */
type Turn = {
  readonly node: string
  /** In a row, this one taken for one until it has succeeded. */
  readonly failures: number
  /** Milliseconds since 1970. */
  readonly notBefore: number
}

export type TurnParts = {
  readonly keys: KeyStore
  readonly directory: string
  readonly node: string
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random?: () => number
}

/**
 * Milliseconds until the next try: 3 minutes after the first failure, then twice as long each time, up to half a day. So five
 * tries at most begin in the first hour, which is how many failed proofs of a name Let's Encrypt allows.
 */
const firstWait = 3 * 60_000
const longestWait = 12 * 3_600_000

const waitAfter = (failures: number, random: () => number) =>
  Math.min(longestWait, firstWait * 2 ** Math.min(failures - 1, 20)) * (1 + 0.1 * random())

/** Of several gateways that share the key store one orders at a time, and none sooner than the last failure allows. */
export const orderTurns = ({ keys, directory, node, clock, random = Math.random }: TurnParts) => {
  const prefix = `${acmePrefix(directory)}turn-`
  const nameOf = (number: number) => `${prefix}${number}.json`
  const numberOf = (name: string) => Number(/^\d{1,9}(?=\.json$)/.exec(name.slice(prefix.length))?.[0] ?? 0)
  const last = async () => {
    const number = Math.max(0, ...(await keys.list(prefix)).map(numberOf))
    return { number, turn: turnIn(await keys.get(nameOf(number))) }
  }
  const bytesOf = (turn: Turn) => Buffer.from(JSON.stringify(turn))
  return {
    /** This gateway's turn has begun, or undefined: it is another's, or too early. */
    begin: async () => {
      const { number, turn } = await last()
      const now = clock.now().getTime()
      // A clock that was set back must not keep it waiting for ever.
      if (now < turn.notBefore && turn.notBefore - now <= longestWait * 2) return undefined
      const name = nameOf(number + 1)
      const failures = turn.failures + 1
      const mine = { node, failures, notBefore: now + waitAfter(failures, random) }
      if (!(await keys.add(name, bytesOf(mine)))) return undefined
      for (const old of await keys.list(prefix)) if (numberOf(old) <= number) await keys.remove(old)
      return {
        /** Nothing is ordered again for so many milliseconds. */
        succeeded: (rest: number) => keys.put(name, bytesOf({ node, failures: 0, notBefore: now + rest })),
        /** The next may begin then; not sooner than the authority wants. */
        failed: async (seconds: number): Promise<Date> => {
          const notBefore = Math.max(mine.notBefore, clock.now().getTime() + Math.min(seconds * 1000, longestWait * 2))
          if (notBefore > mine.notBefore) await keys.put(name, bytesOf({ ...mine, notBefore }))
          return new Date(notBefore)
        },
      }
    },
  }
}

export type OrderTurns = ReturnType<typeof orderTurns>

const none: Turn = { node: '', failures: 0, notBefore: 0 }

const turnIn = (value: Uint8Array | undefined): Turn => {
  try {
    return value ? (JSON.parse(Buffer.from(value).toString()) as Turn) : none
  } catch {
    // A damaged note allows a try now.
    return none
  }
}
