import type { Logger } from '../core/ports.ts'

export type TidierParts = {
  /** Durable when it resolves. */
  remove(names: readonly string[]): Promise<void>
  /** Why nothing may be removed now; undefined when it may. */
  obstacle(): string | undefined
  readonly logger: Logger
}

/** Removes key files that nobody needs any more. What fails is found again by the next login. */
export const tidier =
  ({ remove, obstacle, logger }: TidierParts) =>
  (names: readonly string[]): void => {
    if (obstacle() !== undefined) return
    remove(names).catch((error: unknown) =>
      logger.warn({ err: error }, 'Key files that were replaced were not removed'),
    )
  }
