// What machines, transcripts and the events of sessions cost of a mail's time, at ten mails of 10 KiB a connection:
//   node ops/bench/sessionCost.ts [CONNECTIONS]
// All figures are processor time of the gateway's own work, so that they can be compared on a machine that does other
// things too. A mail's is that of a whole gateway, its disk included as far as a processor works for it; a session's is
// that of its machine with its transcript, and of recording its two events, both without anything else.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSession, work } from '../../actors/session.ts'
import { smtpNotation } from '../../actors/smtpNotation.ts'
import { smtpSession } from '../../actors/smtpSession.ts'
import type { SmtpEvent } from '../../actors/smtpSetup.ts'
import { startTranscript } from '../../actors/transcript.ts'
import { stamper } from '../../src/core/events.ts'
import { newMailboxId, newMessageId, newSessionId } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/ports.ts'
import { recordSessions, type SessionEnd } from '../../src/sessions.ts'
import { startStorage } from '../../src/storage/storage.ts'
import { smtpClient } from '../../test/support/smtpClient.ts'
import { startScratchGateway } from '../scratchGateway.ts'
import { cpuOf } from './processorTime.ts'

const mailsOfOne = 10
const atOnce = 20

const mailboxId = newMailboxId()
const transaction: readonly SmtpEvent[] = [
  { type: 'mail', size: 10_240, smtpUtf8: false },
  { type: 'rcpt', found: { is: 'mailbox', mailboxId }, ascii: true },
  { type: 'data' },
]
const machine = smtpSession.provide({
  actors: { receive: work(() => Promise.resolve({ messageId: newMessageId() })) },
})
const nothing = () => undefined

/** One session's machine from its start to its end, and its transcript. */
const live = async (): Promise<SessionEnd> => {
  const sessionId = newSessionId()
  const input = {
    sessionId,
    domain: 'gateway.example',
    secure: false,
    crowded: false,
    maxSize: 1e6,
    maxRecipients: 100,
    maxBadCommands: 20,
  }
  const now = () => systemClock.now().getTime()
  const transcript = startTranscript(smtpNotation, { sessionId, input, limit: 64 * 1024, now })
  const actor = startSession(machine, { input, transcript, onEmit: nothing, onDone: nothing, onError: nothing })
  actor.send({ type: 'hello', extended: true })
  for (let mail = 0; mail < mailsOfOne; mail++) {
    for (const event of transaction) actor.send(event)
    while (!actor.getSnapshot().hasTag('ready')) await Promise.resolve()
  }
  actor.send({ type: 'quit' })
  return { outcome: 'quit', octetsIn: 105_000, octetsOut: 1_500, transcript: transcript.text() }
}

/** Microseconds of this process's threads, of one of so many. */
const costOf = async (count: number, all: () => Promise<unknown>): Promise<number> => {
  const before = process.cpuUsage()
  await all()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / count
}

const costOfMachine = (count: number) =>
  costOf(count, async () => {
    for (let session = 0; session < count; session++) await live()
  })

/** SessionOpened and SessionClosed through the storage thread, as many sessions at once as a busy gateway has. */
const costOfEvents = async (count: number): Promise<number> => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-bench-'))
  const log = { engine: 'sqlite', file: join(dir, 'events.db') } as const
  const vault = { engine: 'packs', dir } as const
  const storage = await startStorage({ log, vault, keysDir: dir, node: 'bench' }, () => Promise.resolve())
  const written: Promise<unknown>[] = []
  const watched: Parameters<typeof recordSessions>[0] = {
    append: (append) => {
      const appended = storage.log.append(append)
      written.push(appended)
      return appended
    },
  }
  const logger = { info: nothing, warn: nothing, error: nothing }
  const recorder = recordSessions(watched, stamper('bench', systemClock.now), logger)
  const end = await live()
  const cost = await costOf(count, async () => {
    for (let from = 0; from < count; from += atOnce) {
      for (let one = 0; one < atOnce; one++) {
        const peer = { sessionId: newSessionId(), protocol: 'smtp', remoteAddress: '192.0.2.1', tls: null } as const
        recorder.opened(peer).closed(end)
      }
      await Promise.all(written.splice(0))
    }
  })
  await storage.close()
  rmSync(dir, { recursive: true })
  return cost
}

/** Of a whole gateway, for one mail. */
const costOfMail = async (connections: number) => {
  const gateway = await startScratchGateway()
  const { address } = await gateway.createMailbox('--name', 'bench')
  const mail = Buffer.from(`${'The quick brown fox jumps over the lazy dog; '.slice(0, 30)}\r\n`.repeat(320))
  const send = async () => {
    const client = await smtpClient(gateway.ports.smtp)
    for (let sent = 0; sent < mailsOfOne; sent++) {
      const reply = await client.deliver(address, mail)
      if (!reply.startsWith('250')) throw new Error(reply)
    }
    await client.quit()
  }
  const batch = () => Promise.all(Array.from({ length: atOnce }, send))
  await batch()
  await batch()
  const [cpu, started] = [cpuOf(gateway.process.pid ?? 0), performance.now()]
  for (let from = 0; from < connections; from += atOnce) await batch()
  const mails = Math.ceil(connections / atOnce) * atOnce * mailsOfOne
  const cost = (cpuOf(gateway.process.pid ?? 0) - cpu) / mails
  const wall = ((performance.now() - started) * 1000) / mails
  await gateway.stop()
  gateway.remove()
  return { cost, wall }
}

/** Prints one line. */
export const sessionCost = async (connections: number): Promise<void> => {
  await costOfMachine(connections)
  const machine = (await costOfMachine(connections * 2)) / mailsOfOne
  const events = (await costOfEvents(connections * 5)) / mailsOfOne
  const mail = await costOfMail(connections)
  const whole = machine + events
  const percent = (of: number) => `${((whole / of) * 100).toFixed(1)} %`
  const parts = `machine and transcript ${machine.toFixed(0)} µs, session events ${events.toFixed(0)} µs`
  console.log(
    `\nOf a mail's ${mail.cost.toFixed(0)} µs of processor time, ten mails a connection, sessions take ${percent(mail.cost)} (${parts}); of the ${mail.wall.toFixed(0)} µs between two mails ${percent(mail.wall)} (must: under 10 %).`,
  )
}

if (import.meta.main) await sessionCost(Number(process.argv[2] ?? 400))
