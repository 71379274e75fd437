import { setTimeout as delay } from 'node:timers/promises'

/** Rejects when the work has not come to its end after so many milliseconds. */
export const within = async <T>(milliseconds: number, work: Promise<T>): Promise<T> => {
  const late = new AbortController()
  const timeout = delay(milliseconds, undefined, { signal: late.signal }).then(() =>
    Promise.reject(new Error(`nothing within ${milliseconds} ms`)),
  )
  try {
    return await Promise.race([work, timeout])
  } finally {
    late.abort()
    timeout.catch(() => undefined)
  }
}
