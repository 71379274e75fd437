import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MailboxId } from '../../src/core/ids.ts'
import { openWire } from '../../test/support/wire.ts'
import { freePorts, startScratchGateway } from '../scratchGateway.ts'
import { writeMessages } from './writeHistory.ts'

/** How long a gateway takes from its start to the first POP3 greeting, with that many messages in its log. */
export const startWithHistory = async (messages: number): Promise<void> => {
  const data = mkdtempSync(join(tmpdir(), 'sealpost-history-'))
  const ports = await freePorts()
  const first = await startScratchGateway({ data, ports })
  const { mailboxId } = await first.createMailbox('--name', 'history')
  await first.stop()
  await writeMessages(data, mailboxId as MailboxId, messages)
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
