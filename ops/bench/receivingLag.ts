import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Delivery } from '../../src/archive.ts'
import { eventId, newCommandId, newMailboxId, newMessageId, newSessionId } from '../../src/core/ids.ts'
import { pathsIn, prepareDataDirectory, recogniseDirectories } from '../../src/dataDirectory.ts'
import { startStorage } from '../../src/storage/storage.ts'
import { openViews } from '../../src/storage/views.ts'

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** Milliseconds from the receipt of each message until the views show it, sorted: so many at once, all with real threads. */
export const receivingLag = async (messages: number, parallel: number): Promise<readonly number[]> => {
  const data = mkdtempSync(join(tmpdir(), 'sealpost-lag-'))
  prepareDataDirectory(data)
  const paths = pathsIn(data)
  recogniseDirectories(paths)
  const log = { engine: 'sqlite', file: paths.log } as const
  const vault = { engine: 'packs', dir: paths.vault } as const
  const storage = await startStorage({ log, vault, keysDir: paths.keys, node: 'scratch' })
  const views = await openViews({ file: paths.views, log, logger: silent })
  const mailboxId = newMailboxId()
  const { recipient } = await storage.createIdentity({ mailboxId, generation: 1 })
  const body =
    randomBytes(7680)
      .toString('base64')
      .match(/.{1,76}/g)
      ?.join('\r\n') ?? ''
  const lags: number[] = []
  let left = messages

  const deliver = () => {
    const delivery: Delivery = {
      messageId: newMessageId(),
      mailboxId,
      recipient,
      generation: 1,
      source: 'journal',
      sessionId: newSessionId(),
      cause: eventId(newCommandId(), 0),
      remoteAddress: '192.0.2.1',
      tls: null,
      trace: Buffer.from('Return-Path: <sender@example.com>\r\n'),
    }
    return storage.archive.receive(delivery, bodyOf(body))
  }
  const sender = async () => {
    const seen: Promise<unknown>[] = []
    while (left-- > 0) {
      const { position } = await deliver()
      const received = performance.now()
      // The next one comes meanwhile, as from a sender.
      seen.push(views.visible(position).then(() => lags.push(performance.now() - received)))
    }
    await Promise.all(seen)
  }
  await Promise.all(Array.from({ length: parallel }, sender))
  await views.close()
  await storage.close()
  rmSync(data, { recursive: true })
  return lags.toSorted((a, b) => a - b)
}

async function* bodyOf(text: string) {
  await Promise.resolve()
  yield Buffer.from(text)
}
