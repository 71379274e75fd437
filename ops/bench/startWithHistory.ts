import { createHash, randomUUID } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MailboxId, newCommandId, newMessageId, newSessionId, vaultKey } from '../../src/core/ids.ts'
import { type Fact, stamper } from '../../src/core/events.ts'
import { systemClock } from '../../src/core/ports.ts'
import { messageStream } from '../../src/core/streams.ts'
import { pathsIn } from '../../src/dataDirectory.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { openWire } from '../../test/support/wire.ts'
import { freePorts, startScratchGateway } from '../scratchGateway.ts'

/** Writes the events of so many messages into the log of a data directory, as the gateway would have. */
const writeHistory = async (data: string, mailboxId: MailboxId, messages: number) => {
  const log = sqliteLog({ file: pathsIn(data).log, clock: systemClock })
  const stamp = stamper('scratch', () => systemClock.now())
  const sessionId = newSessionId()
  const cause = { principal: 'peer:192.0.2.1', correlationId: sessionId, causationId: sessionId } as const
  const append = () => {
    const messageId = newMessageId()
    const sealedSha256 = createHash('sha256').update(randomUUID()).digest('hex')
    const sizes = { size: 10_500, wireSize: 10_500 }
    const facts: readonly Fact[] = [
      { type: 'MessageReceived', data: { messageId, mailboxId, ...sizes, source: 'journal', sessionId, tls: null } },
      {
        type: 'MessageSealed',
        data: { messageId, mailboxId, object: vaultKey(messageId), generation: 1, sealedSize: 10_700, sealedSha256 },
      },
    ]
    const events = facts.map((fact) => stamp(fact, cause))
    return log.append({ stream: messageStream(messageId), expected: 'no-stream', commandId: newCommandId(), events })
  }
  for (let written = 0; written < messages; written += 1000) await Promise.all(Array.from({ length: 1000 }, append))
  await log.close()
}

/** How long a gateway takes from its start to the first POP3 greeting, with that many messages in its log. */
export const startWithHistory = async (messages: number): Promise<void> => {
  const data = mkdtempSync(join(tmpdir(), 'sealpost-history-'))
  const ports = await freePorts()
  const first = await startScratchGateway({ data, ports })
  const { mailboxId } = await first.createMailbox('--name', 'history')
  await first.stop()
  await writeHistory(data, mailboxId as MailboxId, messages)
  const rebuilding = await startScratchGateway({ data, ports, within: 300_000 })
  await rebuilding.stop()

  const started = performance.now()
  const gateway = await startScratchGateway({ data, ports })
  const wire = await openWire(ports.pop3)
  await wire.line()
  const seconds = (performance.now() - started) / 1000
  wire.destroy()
  await gateway.stop()
  gateway.remove()
  console.log(
    `A start with ${messages} messages in the log: ${seconds.toFixed(2)} s to the POP3 greeting (must: under 2 s).`,
  )
}
