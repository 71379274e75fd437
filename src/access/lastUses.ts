import type { Clock, KeyStore, Logger } from '../core/ports.ts'

/** When tokens were used last: no facts, and so no events. */
export type LastUses = {
  used(tokenId: string): void
  /** Of all gateways that share the keys, to within `writtenEvery`. */
  lastOf(tokenId: string): Promise<Date | undefined>
  forget(tokenId: string): Promise<void>
}

export type LastUsesParts = { readonly keys: KeyStore; readonly clock: Clock; readonly logger: Logger }

/** Milliseconds between two writings of one token's last use. */
const writtenEvery = 10 * 60_000

/** Kept in memory, and of each token from time to time in a directory of the key store. */
export const lastUses = ({ keys, clock, logger }: LastUsesParts, directory: string): LastUses => {
  const nameOf = (tokenId: string) => `${directory}${tokenId}.used`
  const uses = new Map<string, { at: Date; writtenAt: number }>()
  return {
    used: (tokenId) => {
      const at = clock.now()
      const writtenAt = uses.get(tokenId)?.writtenAt ?? 0
      const due = at.getTime() - writtenAt >= writtenEvery
      uses.set(tokenId, { at, writtenAt: due ? at.getTime() : writtenAt })
      if (!due) return
      keys.put(nameOf(tokenId), Buffer.from(`${at.toISOString()}\n`)).catch((error: unknown) => {
        logger.warn({ err: error, tokenId }, 'The last use of a token was not written')
      })
    },
    lastOf: async (tokenId) => {
      const stored = await keys.get(nameOf(tokenId))
      const written = stored && new Date(Buffer.from(stored).toString().trim())
      const own = uses.get(tokenId)?.at
      return own && written ? (own > written ? own : written) : (own ?? written)
    },
    forget: async (tokenId) => {
      uses.delete(tokenId)
      await keys.remove(nameOf(tokenId)).catch(() => undefined)
    },
  }
}
