import type { Writable } from 'node:stream'
import { isPosition, timeOf } from '../core/eventFilter.ts'
import type { Moment } from '../core/moment.ts'
import { largestPage } from '../core/pageSize.ts'
import { plain } from '../core/plain.ts'
import type { AsOf, History, Question } from '../history.ts'
import type { Client } from './client.ts'
import { type Command, dataOption, type Given, type Io, UsageError } from './command.ts'
import { configured, running } from './configured.ts'
import { onData } from './offlineData.ts'
import { table, write } from './output.ts'

const views = ['mailboxes', 'messages', 'maildrop'] as const
type View = (typeof views)[number]

export const replay: Command = {
  name: 'replay',
  summary: 'Print what there was at any moment, folded anew from the event log',
  operands: ['VIEW'],
  options: {
    until: { value: 'TIME', about: 'As of a date, or a date and time with zone (ISO 8601)' },
    position: { value: 'P', about: 'As of the event at this position, as "events" prints it' },
    mailbox: { value: 'ID', about: 'Its id, address or alias: for messages and maildrop' },
    data: dataOption,
  },
  more: () =>
    `VIEW is one of
  mailboxes   the mailboxes and their aliases
  messages    every message of a mailbox, those that had left its maildrop too
  maildrop    what a POP3 client would have seen of a mailbox

As of a time means: the log before its first event that is later. Without --until and --position: all of the log.
`,
  run: async (given, io) => {
    const asked = askedIn(given)
    const show = (pages: AsyncIterable<PastPage>) =>
      given.flag('json') ? writeDocument(io.stdout, asked.view, pages) : writeTables(io.stdout, asked.view, pages)
    const data = given.optional('data')
    if (data === undefined) await show(online(running(given, io), asked, given))
    else await onData(given, io, (offline) => show(offlinePages(offline.history, asked, configured(given, io), io)))
    return undefined
  },
}

type Asked = { readonly view: View; readonly mailbox: string | undefined; readonly moment: Moment }

const askedIn = (given: Given): Asked => {
  const [view = ''] = given.operands
  if (!isView(view)) throw new UsageError(`VIEW must be one of ${views.join(', ')}, not "${view}"`)
  const mailbox = given.optional('mailbox')
  if (view === 'mailboxes' && mailbox !== undefined)
    throw new UsageError('mailboxes are those of the whole gateway: leave --mailbox out')
  if (view !== 'mailboxes' && mailbox === undefined) throw new UsageError(`--mailbox is missing: whose ${view}?`)
  return { view, mailbox, moment: momentIn(given) }
}

const isView = (text: string): text is View => (views as readonly string[]).includes(text)

const momentIn = (given: Given): Moment => {
  const [until, position] = [given.optional('until'), given.optional('position')]
  if (until !== undefined && position !== undefined) throw new UsageError('Either --until or --position, not both')
  if (position !== undefined) {
    if (!isPosition(position)) throw new UsageError(`--position cannot be "${position}"`)
    return { position }
  }
  if (until === undefined) return 'now'
  const time = timeOf(until)
  if (time === undefined) throw new UsageError(`--until cannot be "${until}"`)
  return { time }
}

/** What there was, as JSON shows it: what is not known is null. */
type PastPage = {
  readonly asOf: { readonly position: string | null; readonly recordedAt: string | null }
  readonly items: readonly Item[]
}
type Item = Readonly<Record<string, unknown>>

async function* offlinePages(
  open: (domain: string, onProgress: (folded: number) => void) => History,
  { view, mailbox, moment }: Asked,
  { gateway }: ReturnType<typeof configured>,
  io: Io,
): AsyncGenerator<PastPage> {
  const history = open(gateway.domain, progressTo(io.stderr))
  let after: Question['after']
  do {
    const question = { view, mailbox, after, limit: largestPage } as Question // `askedIn` has seen to the mailbox
    const { asOf, items, next } = await history.ask(question, moment)
    yield { asOf: plainAsOf(asOf), items: items.map(plain) }
    after = next
  } while (after !== undefined)
}

const plainAsOf = ({ position, recordedAt }: AsOf) => ({ position: position || null, recordedAt: recordedAt ?? null })

const progressEvery = 3000
const progressTo = (stderr: Writable) => {
  let next = performance.now() + progressEvery
  return (folded: number) => {
    if (performance.now() < next) return
    next += progressEvery
    stderr.write(`${folded} events …\n`)
  }
}

type Answer = { readonly asOf: PastPage['asOf']; readonly next: string | null } & {
  readonly [V in View]?: readonly Item[]
}

async function* online(client: Client, { view, mailbox }: Asked, given: Given): AsyncGenerator<PastPage> {
  const query = new URLSearchParams({ limit: String(largestPage) })
  if (mailbox !== undefined) query.set('mailbox', mailbox)
  const [until, position] = [given.optional('until'), given.optional('position')]
  if (until !== undefined) query.set('at', until)
  if (position !== undefined) query.set('position', position)
  for (;;) {
    const { asOf, next, [view]: items = [] } = await client.get<Answer>(`/v1/history/${view}?${query.toString()}`)
    yield { asOf, items }
    if (next === null) return
    // The moment as it was answered: what has happened meanwhile does not come in between two pages.
    query.delete('at')
    if (asOf.position !== null) query.set('position', asOf.position)
    query.set('after', next)
  }
}

/** One JSON document, written as its pages come. */
const writeDocument = async (stdout: Writable, view: View, pages: AsyncIterable<PastPage>) => {
  let written = 0
  for await (const { asOf, items } of pages) {
    if (written === 0) await write(stdout, `{"asOf":${JSON.stringify(asOf)},"${view}":[`)
    const text = items.map((item) => JSON.stringify(item)).join(',')
    await write(stdout, written > 0 && text !== '' ? `,${text}` : text)
    written += 1
  }
  await write(stdout, ']}\n')
}

const writeTables = async (stdout: Writable, view: View, pages: AsyncIterable<PastPage>) => {
  let shown = 0
  for await (const { asOf, items } of pages) {
    if (shown === 0) await write(stdout, `${momentText(asOf)}\n\n${items.length === 0 ? 'There was nothing.\n' : ''}`)
    const lines = items.length === 0 ? '' : table(headings[view], items.map(rowOf[view]))
    await write(stdout, shown === 0 ? lines : lines.slice(lines.indexOf('\n') + 1))
    shown += items.length
  }
}

const momentText = ({ position, recordedAt }: PastPage['asOf']) =>
  position === null ? 'Before the first event of the log.' : `As of ${recordedAt ?? ''}, position ${position}.`

const headings: Readonly<Record<View, readonly string[]>> = {
  mailboxes: ['MAILBOX', 'STATE', 'CREATED', 'MESSAGES', 'NAME'],
  messages: ['MESSAGE', 'RECEIVED', 'SIZE', 'RETRIEVALS', 'STATE'],
  maildrop: ['MESSAGE', 'SIZE', 'OVER POP3', 'SHA-256 SEALED'],
}
const rowOf: Readonly<Record<View, (item: Item) => readonly string[]>> = {
  mailboxes: ({ mailboxId, state, createdAt, messages, name }) =>
    [mailboxId, state, createdAt, messages, name].map(String),
  messages: ({ messageId, receivedAt, size, retrievals, state }) =>
    [messageId, receivedAt, size, retrievals, state].map(String),
  maildrop: ({ messageId, size, wireSize, sealedSha256 }) => [messageId, size, wireSize, sealedSha256].map(String),
}
