import { GatewayError } from '../core/errors.ts'
import type { Place } from './place.ts'
import { asStorageError, isFailedSync } from './storageError.ts'

/** The one place that decides whether the vault may go on. */
export const watchOver = (onFatal: (error: unknown) => void, readOnly = false) => {
  let broken: GatewayError | undefined
  let closed = false
  const checkSound = () => {
    if (broken !== undefined) throw broken
  }
  const checkChangeable = () => {
    if (readOnly) throw new GatewayError('storage-failed', { detail: 'The vault was opened for reading' })
  }
  const checkOpen = () => {
    if (closed) throw new GatewayError('shutting-down')
  }
  return {
    fail: (error: unknown): GatewayError => {
      if (isFailedSync(error) && broken === undefined) {
        broken = new GatewayError('storage-failed', { detail: 'The disk did not keep its promise', cause: error })
        onFatal(error)
      }
      return asStorageError(error)
    },
    close: () => {
      closed = true
    },
    checkSound,
    checkOpen,
    check: () => {
      checkOpen()
      checkChangeable()
      checkSound()
    },
  }
}

export const taken = () => new GatewayError('storage-failed', { detail: 'There is an object of that key already' })

/** No object is overwritten, and two of one key do not become objects at the same time. `check` throws if none may. */
export const oneAtATime = (check: () => void) => {
  const committing = new Set<string>()
  return async <T>({ key }: Place, work: () => Promise<T>): Promise<T> => {
    check()
    if (committing.has(key)) throw taken()
    committing.add(key)
    try {
      return await work()
    } finally {
      committing.delete(key)
    }
  }
}
