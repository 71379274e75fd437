import type { Connection } from './eventStoreDbAppend.ts'
import { StoreFailure } from './eventStoreDbFailure.ts'

/** Milliseconds between looks whether the store can be reached again. */
const lookEvery = 500

/**
 * Remembers that the store cannot be reached and looks whether it can again. Meanwhile appends are refused before
 * anything is sent, so that their outcome is known, and nobody waits for what cannot come.
 */
export const storeConnection = (look: () => Promise<unknown>): Connection & { close(): void } => {
  let away: StoreFailure | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false
  const lookAgain = () => {
    if (closed) return
    timer = setTimeout(() => {
      look().then(
        () => (away = undefined),
        (error: unknown) => {
          // Of a store that answers, be it with a refusal, the next append shall hear itself.
          if (error instanceof StoreFailure && (error.kind === 'denied' || error.kind === 'refused')) away = undefined
          else lookAgain()
        },
      )
    }, lookEvery).unref()
  }
  return {
    away: () => away,
    reached: () => (away = undefined),
    lost: (failure) => {
      if (away === undefined) lookAgain()
      away = failure
    },
    close: () => {
      closed = true
      clearTimeout(timer)
    },
  }
}
