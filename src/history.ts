import { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Figures, figuresOf } from '../projections/figures.ts'
import { maildropOf, type RetrievableMessage } from '../projections/maildrops.ts'
import { listMailboxes, type Mailbox, mailboxes, mailboxNamed } from '../projections/mailboxes.ts'
import { listMessages, type Message, messages } from '../projections/messages.ts'
import { type Page, type ViewReader, viewReader } from '../projections/projection.ts'
import { createViews, fold } from '../projections/runner.ts'
import { asFarAsReadable } from './core/asFarAsReadable.ts'
import { GatewayError } from './core/errors.ts'
import type { Recorded } from './core/events.ts'
import { type MailboxId, origin, type Position } from './core/ids.ts'
import type { Keyring } from './core/keyring.ts'
import { countWithin, type Moment } from './core/moment.ts'
import type { EventLog } from './core/ports.ts'

/** What is asked about a moment. `mailbox` is an id, an address made of one, or an alias as it was then. */
export type Question = { readonly after?: Position | undefined; readonly limit: number } & (
  { readonly view: 'mailboxes' } | { readonly view: 'messages' | 'maildrop'; readonly mailbox: string }
)

export type PastMailbox = Omit<Mailbox, 'streamRevision' | 'keyring'> &
  Keyring & {
    readonly address: string
    /** How many messages a POP3 client would have seen. */
    readonly messages: number
    readonly figures: Figures
  }
export type PastItem = PastMailbox | Message | RetrievableMessage

/** The moment that was asked for, as the position of its last event (`origin` before the first) and that event's time. */
export type AsOf = { readonly position: Position; readonly recordedAt: string | undefined }

/** A page of what the views held then, as the same readers tell it that tell of today. */
export type Answer = {
  readonly asOf: AsOf
  /** The one that was asked about, as it was named then. */
  readonly mailboxId: MailboxId | undefined
} & Page<PastItem>

/** The views as of any moment: one moment at a time, folded from the log in memory with the gateway's own projections. */
export type History = {
  /**
   * Rejects with `request-invalid` for a position that the log does not hold, `mailbox-unknown` for a mailbox that there
   * was not then, `UnreadableEvent` for an event in the way, what the log rejects with, or the signal's reason. The next
   * answer about the same or a later moment goes on from there: pages cost nothing more. Not to be called while it runs.
   */
  ask(question: Question, moment: Moment, signal?: AbortSignal): Promise<Answer>
  close(): void
}

export type HistoryParts = {
  readonly log: Pick<EventLog, 'readAll' | 'head'>
  readonly domain: string
  /** Told after every page how many events are folded. */
  readonly onProgress?: (folded: number) => void
}

/** The views that questions are about. */
const projections = [mailboxes, messages]
/** Events folded at once: between two pages the thread does other things. */
const pageSize = 1000

export const openHistory = ({ log, domain, onProgress = () => undefined }: HistoryParts): History => {
  let past = beginning()

  const begin = (moment: Moment) => {
    if (!isBeyond(past, moment)) return
    past.close()
    past = beginning()
  }

  const foldTo = async (moment: Moment, signal?: AbortSignal) => {
    for (;;) {
      signal?.throwIfAborted()
      const { events } = await asFarAsReadable((limit) => log.readAll(past.asOf().position, limit), pageSize)
      const within = events.slice(0, countWithin(moment, events))
      past.take(within)
      onProgress(past.folded())
      if (within.length < events.length || events.length === 0) return
      if (moment !== 'now' && 'position' in moment && past.asOf().position === moment.position) return
      await nextTurn()
    }
  }

  return {
    ask: async (question, moment, signal) => {
      await mustBeHeld(log, moment)
      begin(moment)
      await foldTo(moment, signal)
      const asOf = past.asOf()
      if (moment !== 'now' && 'position' in moment && asOf.position !== moment.position) throw notHeld(moment.position)
      const { reader } = past
      if (question.view === 'mailboxes') return { asOf, mailboxId: undefined, ...mailboxesIn(reader, domain, question) }
      const mailboxId = mailboxIn(reader, domain, question.mailbox)
      if (question.view === 'maildrop') return { asOf, mailboxId, ...maildropOf(reader, mailboxId, question) }
      return { asOf, mailboxId, ...listMessages(reader, { ...question, mailboxId }) }
    },
    close: () => past.close(),
  }
}

/** Views that are folded forwards, from an empty log on. */
const beginning = () => {
  // A private database that is kept in memory as far as the cache goes, and beyond it in a file without a name.
  const db = new DatabaseSync('')
  db.exec('pragma journal_mode = memory; pragma synchronous = off; pragma cache_size = -16000')
  createViews(db, projections)
  let folded = 0
  let last: Recorded | undefined
  /** A clock that went back lets an earlier event have the later time. */
  let latest = -Infinity
  return {
    reader: viewReader(db),
    asOf: (): AsOf => ({ position: last?.position ?? origin, recordedAt: last?.recordedAt }),
    latest: () => latest,
    folded: () => folded,
    take: (events: readonly Recorded[]) => {
      fold(db, projections, events)
      for (const { recordedAt } of events) latest = Math.max(latest, Date.parse(recordedAt))
      folded += events.length
      last = events.at(-1) ?? last
    },
    close: () => db.close(),
  }
}

type Past = ReturnType<typeof beginning>

/** Whether views have taken in what does not belong to the moment. */
const isBeyond = (past: Past, moment: Moment): boolean => {
  if (moment === 'now') return false
  return 'position' in moment ? past.asOf().position > moment.position : past.latest() > moment.time.getTime()
}

const mustBeHeld = async (log: Pick<EventLog, 'head'>, moment: Moment) => {
  if (moment === 'now' || !('position' in moment)) return
  if (moment.position > (await log.head())) throw notHeld(moment.position)
}

const notHeld = (position: Position) =>
  new GatewayError('request-invalid', { detail: `The log holds no event at position ${position}` })

const mailboxesIn = (reader: ViewReader, domain: string, question: Question): Page<PastMailbox> => {
  const page = listMailboxes(reader, question)
  const of = figuresOf(
    reader,
    page.items.map(({ mailboxId }) => mailboxId),
  )
  return { ...page, items: page.items.map((mailbox) => pastMailbox(domain, mailbox, of(mailbox.mailboxId))) }
}

const pastMailbox = (
  domain: string,
  { streamRevision, keyring, ...mailbox }: Mailbox,
  figures: Figures,
): PastMailbox => ({
  ...mailbox,
  ...keyring,
  address: `${mailbox.mailboxId}@${domain}`,
  messages: figures.messages,
  figures,
})

const mailboxIn = (reader: ViewReader, domain: string, name: string): MailboxId => {
  const mailbox = mailboxNamed(reader, domain, name)
  if (mailbox) return mailbox.mailboxId
  throw new GatewayError('mailbox-unknown', { detail: `There was no mailbox ${name} at that moment` })
}
