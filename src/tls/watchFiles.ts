import { stat } from 'node:fs/promises'

export type Watch = {
  /** `onChange` is not called again before it has settled. */
  start(onChange: () => Promise<unknown>): void
  close(): void
}

/** Milliseconds. Looking costs a `stat` for each file; some network file systems tell of no changes. */
const usually = 1_000

/**
 * Tells when files have changed since now, and have been left alone between two looks: who renews a certificate writes one
 * file after the other. `files` is asked at each look.
 */
export const watchFiles = async (files: () => readonly string[], every = usually): Promise<Watch> => {
  let [known, last] = [await stateOf(files()), '']
  let timer: NodeJS.Timeout | undefined
  const look = async (onChange: () => Promise<unknown>) => {
    const now = await stateOf(files())
    const settled = now === last
    last = now
    if (now === known || !settled) return
    // Before it is read: what changes meanwhile is seen at the next look.
    known = now
    await onChange()
  }
  return {
    start: (onChange) => {
      let looking = false
      timer = setInterval(() => {
        if (looking) return
        looking = true
        void look(onChange).finally(() => (looking = false))
      }, every).unref()
    },
    close: () => clearInterval(timer),
  }
}

/** The inode too: a file may be replaced within the clock's grain, or by one with an older time. */
const stateOf = async (files: readonly string[]) =>
  (
    await Promise.all(
      files.map(async (file) => {
        const found = await stat(file, { bigint: true }).catch(() => undefined)
        return `${file}\0${found ? `${found.dev} ${found.ino} ${found.mtimeNs} ${found.size}` : 'missing'}`
      }),
    )
  ).join('\n')
