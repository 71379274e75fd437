import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Delivery } from '../../src/archive.ts'
import { stamper } from '../../src/core/events.ts'
import { eventId, newCommandId, newMailboxId, newMessageId, newSessionId } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/ports.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { generateIdentity, parseIdentity } from '../../src/seal/x25519.ts'
import { packs } from '../../src/vault/packs.ts'

/** A real vault in a directory of its own, a log in memory, one mailbox's key: what the use cases need, without a gateway. */
export const scratchParts = async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-parts-'))
  const vault = packs({ dir })
  const log = memoryLog({ clock: systemClock })
  const stamp = stamper('scratch', () => systemClock.now())
  const { identity, recipient } = await generateIdentity()
  const mailboxId = newMailboxId()
  const delivery = (trace = ''): Delivery => ({
    messageId: newMessageId(),
    mailboxId,
    recipient,
    generation: 1,
    source: 'journal',
    sessionId: newSessionId(),
    cause: eventId(newCommandId(), 0),
    remoteAddress: '192.0.2.1',
    tls: null,
    trace: Buffer.from(trace),
  })
  return {
    dir,
    vault,
    log,
    stamp,
    identities: [parseIdentity(identity)],
    delivery,
    close: async () => {
      await vault.close()
      await log.close()
      rmSync(dir, { recursive: true })
    },
  }
}

export async function* bodyOf(...chunks: readonly (string | Uint8Array)[]) {
  await Promise.resolve()
  for (const chunk of chunks) yield Buffer.from(chunk as string)
}

export const collect = async (chunks: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}

export const namesOf = async <T>(entries: AsyncIterable<T>): Promise<readonly T[]> => {
  const all: T[] = []
  for await (const entry of entries) all.push(entry)
  return all
}
