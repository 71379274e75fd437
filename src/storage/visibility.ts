import type { GatewayError } from '../core/errors.ts'
import { origin, type Position } from '../core/ids.ts'

/** How far the views are, and those who wait for it. */
export type Visibility = {
  readonly position: () => Position
  /** Everything up to `position` is folded. What an earlier `refuse` refused is possible again. */
  readonly advance: (position: Position) => void
  /** Until the next `advance`, who waits and who comes to wait gets this error. */
  readonly refuse: (error: GatewayError) => void
  /** Resolves when everything up to `position` is folded; rejects as refused, or with the signal's reason. */
  readonly wait: (position: Position, signal?: AbortSignal) => Promise<void>
}

type Waiting = { readonly position: Position; resolve(): void; reject(error: unknown): void }

export const visibility = (): Visibility => {
  const waiting = new Set<Waiting>()
  let folded = origin
  let refusal: GatewayError | undefined
  return {
    position: () => folded,
    advance: (position) => {
      refusal = undefined
      if (position > folded) folded = position
      for (const waiter of waiting) if (waiter.position <= folded) waiter.resolve()
    },
    refuse: (error) => {
      refusal = error
      for (const waiter of waiting) waiter.reject(error)
    },
    wait: async (position, signal) => {
      if (position <= folded) return
      if (refusal) throw refusal
      signal?.throwIfAborted()
      const { promise, resolve, reject } = Promise.withResolvers<undefined>()
      const waiter: Waiting = { position, resolve: () => resolve(undefined), reject }
      const abort = () => reject(signal?.reason)
      waiting.add(waiter)
      signal?.addEventListener('abort', abort, { once: true })
      try {
        await promise
      } finally {
        waiting.delete(waiter)
        signal?.removeEventListener('abort', abort)
      }
    },
  }
}
