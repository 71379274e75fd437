import { setTimeout as delay } from 'node:timers/promises'

/** Milliseconds. Long, for machines that are slow: whoever waits for what comes is done as soon as it has. */
const [longest, lookEvery] = [120_000, 10]

/** What is looked for, as soon as it is there: anything but false, undefined and null. Rejects with `what` after two minutes. */
export const until = async <T>(
  look: () => T | Promise<T>,
  what: string | (() => string) = 'what is awaited',
): Promise<NonNullable<Exclude<T, false>>> => {
  for (const end = performance.now() + longest; ;) {
    const found = await look()
    if (found !== undefined && found !== null && found !== false) return found as NonNullable<Exclude<T, false>>
    if (performance.now() > end) throw new Error(`never: ${typeof what === 'string' ? what : what()}`)
    await delay(lookEvery)
  }
}
