import { setTimeout as delay } from 'node:timers/promises'
import { pendingRelays } from '../projections/messages.ts'
import type { ViewReader } from '../projections/projection.ts'
import { asGatewayError } from './core/errors.ts'
import type { Cause, Fact, Stamp } from './core/events.ts'
import { type EventId, type MailboxId, type MessageId, newCommandId, type Position } from './core/ids.ts'
import type { EventLog, Logger } from './core/ports.ts'
import { messageStream } from './core/streams.ts'

/** What a remote server said at last to a message; `silent` when it said nothing and may have taken it. */
export type RelayAnswer = { readonly is: 'accepted' | 'refused'; readonly code: number } | { readonly is: 'silent' }

export type Relayed = {
  readonly messageId: MessageId
  readonly mailboxId: MailboxId
  readonly answer: RelayAnswer
  readonly cause: Cause
}

/** Writes what became of messages that clients sent through the proxy. */
export type Relays = {
  /**
   * Resolves when the outcome is durable, or could not be written within some seconds: then it is tried on, and what a
   * stop leaves open the next start settles as `unknown`. Never rejects: the server's answer is the client's either way.
   */
  record(relayed: Relayed): Promise<void>
  /** Tries no more. */
  close(): void
}

/** Milliseconds that a client waits for the record of the server's answer. */
const patience = 5_000
/** Milliseconds between attempts. */
const pause = 1_000
/** A message's stream begins with MessageReceived and MessageSealed; its third event is its one outcome. */
const sealedRevision = 1

export type RelayParts = {
  readonly log: Pick<EventLog, 'append' | 'readStream'>
  readonly stamp: Stamp
  readonly logger: Logger
}

const appendOutcome = async (
  { log, stamp }: Omit<RelayParts, 'logger'>,
  relayed: Relayed,
  commandId = newCommandId(),
) => {
  const events = [stamp(factOf(relayed), relayed.cause)]
  const stream = messageStream(relayed.messageId)
  try {
    await log.append({ stream, expected: sealedRevision, commandId, events })
  } catch (error) {
    if (asGatewayError(error).code !== 'revision-conflict') throw error
    // An outcome that is there already stays. A message that is not there yet may still come to be.
    if ((await log.readStream(stream, sealedRevision + 1, 1)).length === 0) throw error
  }
}

const factOf = ({ messageId, mailboxId, answer }: Relayed): Fact => {
  switch (answer.is) {
    case 'accepted':
      return { type: 'MessageRelayed', data: { messageId, mailboxId, outcome: 'accepted', code: answer.code } }
    case 'refused':
      return { type: 'MessageRelayRefused', data: { messageId, mailboxId, code: answer.code } }
    case 'silent':
      return { type: 'MessageRelayed', data: { messageId, mailboxId, outcome: 'unknown', code: null } }
  }
}

export const recordRelays = ({ logger, ...parts }: RelayParts): Relays => {
  const closing = new AbortController()
  const { signal } = closing
  const write = async (relayed: Relayed) => {
    const commandId = newCommandId()
    while (!signal.aborted) {
      try {
        await appendOutcome(parts, relayed, commandId)
        return
      } catch (error) {
        const { messageId } = relayed
        logger.warn({ err: error, messageId }, 'The outcome of relaying a message is not recorded yet')
        await delay(pause, undefined, { signal }).catch(() => undefined)
      }
    }
  }
  return {
    record: (relayed) =>
      new Promise((resolve) => {
        const enough = setTimeout(resolve, patience)
        void write(relayed).then(() => {
          clearTimeout(enough)
          resolve()
        })
      }),
    close: () => closing.abort(),
  }
}

export type PendingParts = Omit<RelayParts, 'logger'> & {
  readonly reader: ViewReader
  /** Resolves when `reader` shows everything up to a position. */
  visible(position: Position): Promise<void>
  /** As of lost sessions. */
  readonly node: string | undefined
  /** The event of the start: what was received before it is of an earlier run. */
  readonly started: { readonly event: EventId; readonly position: Position }
}

/** Messages that are read, and settled in one go. */
const atOnce = 500

/**
 * Settles as `unknown` what an earlier run of this gateway has received from clients and not seen answered; gives the
 * number. Takes as long as the views take to come up to the start.
 */
export const settlePendingRelays = async (parts: PendingParts): Promise<number> => {
  const { reader, visible, node, started } = parts
  let count = 0
  let after: Position | undefined
  do {
    // Views that were opened anew meanwhile may be behind again.
    await visible(started.position)
    const page = pendingRelays(reader, node, { after, before: started.position, limit: atOnce })
    await Promise.all(
      page.items.map(({ messageId, mailboxId, sessionId }) => {
        const cause: Cause = { principal: 'system', correlationId: sessionId, causationId: started.event }
        return appendOutcome(parts, { messageId, mailboxId, answer: { is: 'silent' }, cause })
      }),
    )
    count += page.items.length
    after = page.next
  } while (after)
  return count
}
