/** Milliseconds after which what has not answered is not there. */
const patience = 3000

/** What `ask` gives; undefined when it fails or takes too long. Whoever watches over a gateway must not wait with it. */
export const answered = async <T>(ask: () => Promise<T>): Promise<T | undefined> => {
  const late = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => late.resolve(undefined), patience)
  try {
    return await Promise.race([ask(), late.promise])
  } catch {
    return undefined
  } finally {
    clearTimeout(timer)
  }
}
