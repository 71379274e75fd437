import { type Deletions, isDeleted } from '../../actors/deletions.ts'
import type { MaildropSize, MessageRef } from '../../actors/pop3Replies.ts'
import type { Fetched, ListingWork, Wanted } from '../../actors/pop3Setup.ts'
import { GatewayError } from '../core/errors.ts'
import type { Maildrop, MaildropEntry, Maildrops } from '../maildrop.ts'
import type { Channel } from '../wire/channel.ts'
import { writeListing } from './listing.ts'
import { lookAhead } from './lookAhead.ts'
import { beginRetrieval, deliver, deliverWhole, type Opened, type Retrieval } from './retrieval.ts'
import { topCutter, wholeMessage } from '../wire/topCutter.ts'

/** A session's maildrop: the entries that the machine knows by number only, and the work on them. */
export type HeldMaildrop = {
  readonly size: MaildropSize
  refOf(number: number): MessageRef | undefined
  /** Messages that were asked for next, in this order; begins their retrievals as far as the bounds allow. */
  prepare(numbers: readonly number[], deletions: Deletions): void
  fetch(wanted: Wanted, signal: AbortSignal): Promise<Fetched>
  /** Writes what was fetched last, if that was whole. */
  deliver(lines: number): void
  /** Writes what was fetched last as it comes. */
  send(wanted: Wanted, signal: AbortSignal): Promise<void>
  enumerate(work: ListingWork, signal: AbortSignal): Promise<void>
  update(deletions: Deletions): Promise<void>
  /** Aborts what is under way and gives the maildrop back. */
  release(): void
}

export const holdMaildrop = (maildrops: Maildrops, maildrop: Maildrop, channel: Channel): HeldMaildrop => {
  const { entries } = maildrop
  const ahead = lookAhead((entry) => beginRetrieval(maildrops, maildrop, entry))
  let current: { readonly retrieval: Retrieval; readonly opened: Opened } | undefined

  const entryOf = (number: number): MaildropEntry => {
    const entry = entries[number - 1]
    if (!entry) throw new GatewayError('message-unknown')
    return entry
  }
  /** What was fetched last, once. */
  const taken = () => {
    if (!current) throw new GatewayError('internal')
    const { retrieval, opened } = current
    current = undefined
    return { retrieval, opened }
  }
  return {
    size: { count: entries.length, octets: entries.reduce((octets, { wireSize }) => octets + wireSize, 0) },
    refOf: (number) => {
      const entry = entries[number - 1]
      return entry && { number, octets: entry.wireSize, messageId: entry.messageId }
    },
    prepare: (numbers, deletions) => ahead.prepare(existing(entries, numbers, deletions)),
    fetch: async ({ number }, signal) => {
      const retrieval = ahead.take(entryOf(number))
      abortWith(signal, retrieval)
      const opened = await retrieval.opened
      current = { retrieval, opened }
      return { whole: opened.rest === undefined }
    },
    deliver: (lines) => {
      const { retrieval, opened } = taken()
      deliverWhole(channel, retrieval, opened, cutterFor(lines))
    },
    send: async ({ lines }, signal) => {
      const { retrieval, opened } = taken()
      abortWith(signal, retrieval)
      await deliver(channel, retrieval, opened, cutterFor(lines))
    },
    enumerate: ({ listing, deletions }, signal) => writeListing(channel, { listing, entries, deletions, signal }),
    update: (deletions) =>
      maildrops.update(
        maildrop,
        entries.filter((_, i) => isDeleted(deletions, i + 1)).map(({ messageId }) => messageId),
      ),
    release: () => {
      ahead.abort()
      maildrops.release(maildrop)
    },
  }
}

const cutterFor = (lines: number) => (lines === Infinity ? wholeMessage : topCutter(lines))

const abortWith = (signal: AbortSignal, retrieval: Retrieval) =>
  signal.addEventListener('abort', () => retrieval.abort(), { once: true })

/** Up to the first that does not exist or is marked as deleted. */
const existing = function* (entries: readonly MaildropEntry[], numbers: readonly number[], deletions: Deletions) {
  for (const number of numbers) {
    const entry = entries[number - 1]
    if (!entry || isDeleted(deletions, number)) return
    yield entry
  }
}
