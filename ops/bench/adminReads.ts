// Measures the lists of the admin API over many mailboxes and messages, while mails arrive; part of `npm run bench`, and alone:
//   node ops/bench/adminReads.ts [quick] [PATH…]   only lists whose path has one of these in it
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { MailboxId } from '../../src/core/ids.ts'
import { largestPage } from '../../src/core/pageSize.ts'
import { pathsIn } from '../../src/dataDirectory.ts'
import { type ScratchGateway, startScratchGateway } from '../scratchGateway.ts'
import { median } from './median.ts'
import { writeMailboxes } from './writeHistory.ts'

const callers = 20
const must = { median: 20, worst: 60, lost: 10 }
const smtpLoad = join(import.meta.dirname, 'smtpLoad.ts')

type Answer = { readonly next?: string | null }

/** Asks the API, each caller on its own connection that stays. Throws for an answer that is not 200. */
const clientOf = ({ ports, data }: ScratchGateway) => {
  const agent = new Agent({ keepAlive: true, maxSockets: callers, rejectUnauthorized: false })
  const authorization = `Bearer ${readFileSync(pathsIn(data).token, 'utf8').trim()}`
  const ask = async (path: string) => {
    const options = { agent, port: ports.admin, path, headers: { authorization } }
    const response = await new Promise<IncomingMessage>((resolve, reject) =>
      get(options, resolve).once('error', reject),
    )
    const body = await text(response)
    if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode} ${body}`)
    return body
  }
  const json = async (path: string) => JSON.parse(await ask(path)) as Answer
  return { ask, json, close: () => agent.destroy() }
}
type Client = ReturnType<typeof clientOf>

const withQuery = (path: string, ...more: readonly string[]) =>
  more.reduce((whole, one) => `${whole}${whole.includes('?') ? '&' : '?'}${one}`, path)

/** What follows about so many items of a list; its beginning if it is shorter. */
const deepIn = async ({ json }: Client, path: string, items: number): Promise<string> => {
  let cursor: string | undefined
  for (let seen = 0; seen < items; seen += largestPage) {
    const { next } = await json(withQuery(path, ...(cursor ? [`after=${cursor}`] : [])))
    if (next == null) break
    cursor = next
  }
  return withQuery(path, ...(cursor ? [`after=${cursor}`] : []))
}

const listsWith = (mailbox: MailboxId): readonly string[] => [
  '/v1/mailboxes',
  '/v1/messages',
  '/v1/messages?order=newest',
  `/v1/messages?mailbox=${mailbox}`,
  '/v1/messages?state=deleted',
  '/v1/messages?source=smtp-proxy',
  `/v1/messages?since=${new Date().toISOString().slice(0, 10)}`,
  '/v1/sessions?order=newest',
  '/v1/sessions?state=live',
  '/v1/sessions?state=past&protocol=pop3s',
  `/v1/sessions?mailbox=${mailbox}`,
  '/v1/events',
  '/v1/events?type=MaildropUpdated',
  `/v1/events?stream=mailbox-${mailbox}`,
  '/v1/events?principal=system',
]
const charts = ['minute', 'hour', 'day'].map((per) => `/v1/statistics?per=${per}`)

/** Milliseconds of each call, so many callers at once, each with its next call as soon as it has its answer. */
const timesOf = async ({ ask }: Client, path: string, calls: number): Promise<readonly number[]> => {
  const times: number[] = []
  let left = calls
  const caller = async () => {
    while (left-- > 0) {
      const started = performance.now()
      await ask(path)
      times.push(performance.now() - started)
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return times
}

/** Mails on four connections until it is ended. */
const mailsArrive = (gateway: ScratchGateway, address: string): ChildProcess =>
  spawn(process.execPath, [smtpLoad, String(gateway.ports.smtp), address, '4', '1000000000', '10240', 'text'])

/** Messages a second. */
const receiveRate = async (gateway: ScratchGateway, address: string, messages: number): Promise<number> => {
  const args = [smtpLoad, String(gateway.ports.smtp), address, '4', String(messages), '10240', 'text']
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return messages / (JSON.parse(stdout) as { readonly seconds: number }).seconds
}

/** Percent of the rate of receiving that one caller a second costs, of rates measured in turn. */
const lostRate = async (gateway: ScratchGateway, address: string, paths: readonly string[], messages: number) => {
  const client = clientOf(gateway)
  const rates = { quiet: [] as number[], called: [] as number[] }
  await receiveRate(gateway, address, messages)
  let next = 0
  for (let turn = 0; turn < 5; turn++) {
    rates.quiet.push(await receiveRate(gateway, address, messages))
    const timer = setInterval(() => void client.ask(paths[next++ % paths.length] ?? ''), 1000)
    rates.called.push(await receiveRate(gateway, address, messages))
    clearInterval(timer)
  }
  client.close()
  return 100 * (1 - median(rates.called) / median(rates.quiet))
}

const prepared = async (scale: number) => {
  const data = mkdtempSync(join(tmpdir(), 'sealpost-reads-'))
  const first = await startScratchGateway({ data })
  const { address } = await first.createMailbox('--name', 'live')
  await first.stop()
  const mailboxes = await writeMailboxes(data, { mailboxes: 10_000 * scale, messages: 1_000_000 * scale })
  return { data, address, mailbox: mailboxes[7] as MailboxId }
}

const row = (path: string, times: readonly number[]) => {
  const [usual, worst] = [median(times), median(times, 0.99)]
  const kept = usual <= must.median && worst <= must.worst ? '' : 'missed'
  console.log(`| ${path} | ${usual.toFixed(1)} ms | ${worst.toFixed(1)} ms | ${kept} |`)
}

/** Measures and prints; `scale` is the share of the work. `only`: of which paths; all if there are none. */
export const adminReads = async (scale: number, only: readonly string[] = []): Promise<void> => {
  const { data, address, mailbox } = await prepared(scale)
  const gateway = await startScratchGateway({ data, within: 600_000 })
  while (!(await gateway.command('status')).includes('live')) await delay(200)
  const client = clientOf(gateway)
  const wanted = (path: string) => only.length === 0 || only.some((part) => path.includes(part))
  const lists = listsWith(mailbox).filter(wanted)
  const calls = Math.max(200, 1000 * scale)
  console.log(
    `\n| list, ${callers} callers at once while mails arrive | median | 99 % | must: ${must.median} ms, ${must.worst} ms |`,
  )
  console.log('|---|---|---|---|')
  const load = mailsArrive(gateway, address)
  // The first answers of a gateway that has just started wait for the compiler.
  for (const path of lists) await timesOf(client, path, 200)
  for (const path of lists)
    for (const page of [path, await deepIn(client, path, 100_000 * scale)])
      row(page.replace(/after=[^&]+/, 'after=…'), await timesOf(client, page, calls))
  for (const path of charts.filter(wanted)) row(path, await timesOf(client, path, calls))
  load.kill()
  client.close()
  const lost = await lostRate(gateway, address, lists, 3000 * scale)
  console.log(`\nOne caller a second costs ${lost.toFixed(1)} % of the rate of receiving (must: under ${must.lost} %).`)
  await gateway.stop()
  rmSync(data, { recursive: true })
}

if (import.meta.main) {
  const asked = process.argv.slice(2).filter((one) => one !== 'quick')
  await adminReads(process.argv.includes('quick') ? 0.1 : 1, asked)
}
