import type { VaultWriter } from '../core/ports.ts'

/** A vault's writers that have neither committed nor aborted. */
export const openWriters = () => {
  const writers = new Set<VaultWriter>()
  return {
    /** The writer to hand out in place of the given one. */
    add: (writer: VaultWriter): VaultWriter => {
      const forget = () => writers.delete(writer)
      writers.add(writer)
      return {
        write: (chunk) => writer.write(chunk),
        commit: async () => {
          await writer.commit()
          forget()
        },
        abort: () => writer.abort().finally(forget),
      }
    },
    abort: async (): Promise<void> => {
      await Promise.all([...writers].map((writer) => writer.abort()))
    },
  }
}
