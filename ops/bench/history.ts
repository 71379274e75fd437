// Measures what grows with the log: building the views, answering as of a moment, following a busy log, opening a large
// maildrop. Part of `npm run bench`, and alone:
//   node ops/bench/history.ts [quick] [rebuild] [replay] [lag] [maildrop]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import type { MailboxId } from '../../src/core/ids.ts'
import { pathsIn } from '../../src/dataDirectory.ts'
import { pop3Client } from '../../test/support/pop3Client.ts'
import { median } from './median.ts'
import { smtpClient } from '../../test/support/smtpClient.ts'
import { freePorts, startScratchGateway } from '../scratchGateway.ts'
import { receivingLag } from './receivingLag.ts'
import { watchResidentMemory } from './residentMemory.ts'
import { writeEvents, writeMessages } from './writeHistory.ts'

type Row = { readonly work: string; readonly value: string; readonly memory?: number; readonly must: string }

const inOrder = (values: readonly number[]) => values.toSorted((a, b) => a - b)
const milliseconds = (value: number) => `${value.toFixed(0)} ms`

type Log = {
  readonly data: string
  readonly mailboxes: readonly string[]
  readonly count: number
  readonly address: string
}

/** A data directory with a log of about so many events. */
const longLog = async (events: number): Promise<Log> => {
  const data = mkdtempSync(join(tmpdir(), 'sealpost-history-'))
  const gateway = await startScratchGateway({ data })
  const made = []
  for (let n = 1; n <= 20; n++) made.push(await gateway.createMailbox('--name', `history ${n}`))
  await gateway.stop()
  const mailboxes = made.map(({ mailboxId }) => mailboxId)
  await writeEvents(data, mailboxes as readonly string[] as readonly MailboxId[], events)
  return { data, mailboxes, count: Math.ceil(events / 720) * 720, address: made[0]?.address ?? '' }
}

/** A gateway that finds no views: how fast they are built, and how long a mail takes meanwhile. */
const rebuild = async ({ data, count, address }: Log): Promise<readonly Row[]> => {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${pathsIn(data).views}${suffix}`, { force: true })
  const gateway = await startScratchGateway({ data, within: 300_000 })
  const memory = watchResidentMemory([gateway.process.pid ?? 0])
  const waits: number[] = []
  const sender = await smtpClient(gateway.ports.smtp)
  const built = () => /"perSecond":(\d+),[^}]*"msg":"The views are built"/.exec(gateway.output())?.[1]
  while (built() === undefined) {
    const started = performance.now()
    const reply = await sender.deliver(address, Buffer.from('Subject: meanwhile\r\n\r\nmeanwhile\r\n'))
    if (!reply.startsWith('250 ')) throw new Error(`not received while the views are built: ${reply}`)
    waits.push(performance.now() - started)
    await delay(50)
  }
  const peak = memory.take()
  memory.stop()
  await sender.quit()
  await gateway.stop()
  const mails = inOrder(waits)
  const rows: Row[] = [
    { work: `rebuild of all views, ${count} events`, value: `${built()}/s`, memory: peak, must: '50,000/s, 300 MiB' },
  ]
  if (mails.length > 0)
    rows.push({
      work: `a mail received meanwhile (${mails.length} of them)`,
      value: `${milliseconds(median(mails))} at the median, ${milliseconds(mails.at(-1) ?? NaN)} at most`,
      must: '',
    })
  return rows
}

/** The command line's own answer from a data directory, as of the end of its log. */
const replay = async ({ data, mailboxes, count }: Log): Promise<readonly Row[]> => {
  const main = join(import.meta.dirname, '../../src/start.mjs')
  const until = new Date(Date.now() + 60_000).toISOString()
  const asked = ['replay', '--until', until, 'maildrop', '--mailbox', mailboxes[0] ?? '', '--data', data, '--json']
  const started = performance.now()
  const child = spawn(process.execPath, [main, ...asked], { stdio: ['ignore', 'pipe', 'ignore'] })
  const memory = watchResidentMemory([child.pid ?? 0])
  const [answer] = await Promise.all([text(child.stdout), once(child, 'exit')])
  const seconds = (performance.now() - started) / 1000
  const peak = memory.take()
  memory.stop()
  const { maildrop } = JSON.parse(answer) as { readonly maildrop: readonly unknown[] }
  if (maildrop.length === 0) throw new Error('replay found nothing')
  return [{ work: `replay --until, ${count} events`, value: `${seconds.toFixed(1)} s`, memory: peak, must: '25 s' }]
}

const lag = async (messages: number): Promise<readonly Row[]> => {
  const lags = await receivingLag(messages, 20)
  const value = `${milliseconds(median(lags))} at the median, ${milliseconds(median(lags, 0.99))} at 99 %`
  return [{ work: `views behind a gateway that receives on 20 connections`, value, must: '50 ms at the median' }]
}

/** From PASS to +OK of a full maildrop, less the same of an empty one: both unlock a mailbox. */
const maildrop = async (messages: number): Promise<readonly Row[]> => {
  const data = mkdtempSync(join(tmpdir(), 'sealpost-maildrop-'))
  const ports = await freePorts()
  const first = await startScratchGateway({ data, ports })
  const full = await first.createMailbox('--name', 'full')
  const empty = await first.createMailbox('--name', 'empty')
  await first.stop()
  await writeMessages(data, full.mailboxId as MailboxId, messages)
  const gateway = await startScratchGateway({ data, ports, within: 300_000 })
  while (!(await gateway.command('status').catch(() => '')).includes('live')) await delay(100)
  const login = async ({ mailboxId, password }: typeof full) => {
    const client = await pop3Client(ports.pop3s)
    await client.command(`USER ${mailboxId}`)
    const started = performance.now()
    const reply = await client.command(`PASS ${password}`)
    const took = performance.now() - started
    if (!reply.startsWith('+OK')) throw new Error(reply)
    await client.quit()
    return took
  }
  const times = { full: [] as number[], empty: [] as number[] }
  for (let n = 0; n < 5; n++) {
    times.full.push(await login(full))
    times.empty.push(await login(empty))
  }
  await gateway.stop()
  gateway.remove()
  const took = median(times.full) - median(times.empty)
  return [{ work: `opening a maildrop of ${messages} messages, unlocked`, value: milliseconds(took), must: '300 ms' }]
}

const phases = ['rebuild', 'replay', 'lag', 'maildrop'] as const
type Phase = (typeof phases)[number]

/** Measures and prints the phases; `scale` is the share of the work. */
export const history = async (scale: number, wanted: readonly Phase[] = phases): Promise<void> => {
  const rows: Row[] = []
  const events = Math.round(1_000_000 * scale)
  if (wanted.includes('rebuild') || wanted.includes('replay')) {
    const log = await longLog(events)
    if (wanted.includes('rebuild')) rows.push(...(await rebuild(log)))
    if (wanted.includes('replay')) rows.push(...(await replay(log)))
    rmSync(log.data, { recursive: true })
  }
  if (wanted.includes('lag')) rows.push(...(await lag(Math.round(10_000 * scale))))
  if (wanted.includes('maildrop')) rows.push(...(await maildrop(Math.round(100_000 * scale))))
  console.log('\n| work | Sealpost | peak MiB | must |\n|---|---|---|---|')
  for (const { work, value, memory, must } of rows) console.log(`| ${work} | ${value} | ${memory ?? ''} | ${must} |`)
}

if (import.meta.main) {
  const wanted = phases.filter((phase) => process.argv.includes(phase))
  await history(process.argv.includes('quick') ? 0.1 : 1, wanted.length > 0 ? wanted : phases)
}
