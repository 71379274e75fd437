import { sessionOf } from '../projections/sessions.ts'
import { mentionsOf } from '../projections/messages.ts'
import type { ViewReader } from '../projections/projection.ts'
import { GatewayError } from './core/errors.ts'
import type { EventData, EventType, Principal, Protocol, Recorded } from './core/events.ts'
import { type MessageId, origin, type SessionId } from './core/ids.ts'
import type { EventLog } from './core/ports.ts'
import { messageStream } from './core/streams.ts'

/** One thing that happened to a message. Times are ISO 8601. */
export type TimelineEntry = {
  readonly position: string
  readonly recordedAt: string
  readonly type: EventType
  /** In words. */
  readonly what: string
  readonly principal: Principal
  /** The session or request in which it happened; what the views know of it when it is a peer's session. */
  readonly sessionId: string
  readonly protocol: Protocol | undefined
  readonly remoteAddress: string | undefined
}

export type Timeline = {
  readonly entries: readonly TimelineEntry[]
  /** What to give as `after` for what follows; undefined when there is nothing. */
  readonly next: string | undefined
}

export type TimelineParts = { readonly log: Pick<EventLog, 'readStream'>; readonly reader: ViewReader }
export type TimelinePage = { readonly after?: string | undefined; readonly limit: number }

/**
 * The life of a message, from its own stream and the events of others that name it, in the order of the log. Rejects
 * with `request-invalid` for an `after` that no page has given.
 */
export const timelineOf = async (
  { log, reader }: TimelineParts,
  messageId: MessageId,
  { after, limit }: TimelinePage,
): Promise<Timeline> => {
  const from = after === undefined ? 0 : revisionIn(after)
  // One more at each end: the page before ended at the first, and whether there is a page after it the last one says.
  const before = from === 0 ? 0 : 1
  const read = await log.readStream(messageStream(messageId), from - before, before + limit + 1)
  const begin = before === 1 ? (read[0]?.position ?? origin) : origin
  const own = read.slice(before, before + limit)
  const end = read.length > before + limit ? own.at(-1)?.position : undefined
  const others = (await mentioned(log, reader, messageId)).filter(
    ({ position }) => position > begin && (end === undefined || position <= end),
  )
  const entries = [...own, ...others].toSorted((a, b) => (a.position < b.position ? -1 : 1))
  return { entries: entries.map(entryBy(reader)), next: end === undefined ? undefined : String(from + limit) }
}

const revisionIn = (cursor: string) => {
  if (!/^\d{1,15}$/.test(cursor)) throw new GatewayError('request-invalid', { detail: 'No page has given this cursor' })
  return Number(cursor)
}

const mentioned = async (log: TimelineParts['log'], reader: ViewReader, messageId: MessageId): Promise<Recorded[]> => {
  const found: Recorded[] = []
  for (const { stream, revision } of mentionsOf(reader, messageId)) {
    found.push(...(await log.readStream(stream, revision, 1)))
  }
  return found
}

const entryBy =
  (reader: ViewReader) =>
  (event: Recorded): TimelineEntry => {
    const { position, recordedAt, type, metadata } = event
    const session = sessionOf(reader, metadata.$correlationId as SessionId) // any other id finds none
    return {
      position,
      recordedAt,
      type,
      what: whatOf(event),
      principal: metadata.principal,
      sessionId: metadata.$correlationId,
      protocol: session?.protocol,
      remoteAddress: session?.remoteAddress ?? metadata.source,
    }
  }

const whatOf = (event: Recorded): string => {
  switch (event.type) {
    case 'MessageReceived':
      return `received (${event.data.source}${senderText(event.data)}${checkedText(event.data)})`
    case 'MessageSealed':
      return `sealed under generation ${event.data.generation}`
    case 'MessageRelayed':
      return event.data.outcome === 'accepted'
        ? `relayed: the server answered ${event.data.code}`
        : 'relayed, but the server did not say whether it took it'
    case 'MessageRelayRefused':
      return `not relayed: the server answered ${event.data.code}`
    case 'MessageRetrieved':
      return 'retrieved'
    case 'RecordOpened':
      return openedText(event.data)
    case 'MessageUnreadable':
      return `not released: its sealed object was ${event.data.reason}`
    case 'MaildropUpdated':
      return 'deleted from the maildrop'
    case 'MessageRestored':
      return 'restored to the maildrop'
    case 'MailboxDeleted':
      return 'deleted with its mailbox'
    case 'PurgeDecided':
      return 'to be destroyed'
    case 'MessagePurged':
      return 'destroyed'
    case 'MailboxCreated':
    case 'MailboxRenamed':
    case 'MailboxAliasesChanged':
    case 'MailboxSuspended':
    case 'MailboxProxyLimited':
    case 'MailboxSenderPolicySet':
    case 'MailboxResumed':
    case 'HoldPlaced':
    case 'HoldReleased':
    case 'MailboxRetentionSet':
    case 'MailboxPasswordChanged':
    case 'MailboxRecovered':
    case 'MailboxKeyRotated':
    case 'MailboxPasswordReset':
    case 'MailboxRecoverySet':
    case 'MailboxDestroyed':
    case 'MailboxAbandoned':
    case 'AliasReserved':
    case 'AliasReleased':
    case 'LeaseTaken':
    case 'LeaseReleased':
    case 'SessionOpened':
    case 'ProxyConnected':
    case 'LoginAccepted':
    case 'LoginRefused':
    case 'SessionClosed':
    case 'NodeClaimed':
    case 'GatewayStarted':
    case 'GatewayReconfigured':
    case 'GatewayStopped':
    case 'BackupMade':
    case 'CertificateInstalled':
    case 'RefusalsCounted':
    case 'AdministratorAdded':
    case 'AdministratorPasswordChanged':
    case 'AdministratorRemoved':
    case 'SenderTokenIssued':
    case 'SenderTokenRevoked':
    case 'TokenIssued':
    case 'TokenRevoked':
    case 'IdentityExported':
    case 'MailboxDeletionRefused':
      // Of no message: listed so that whoever adds an event type decides about it here.
      return event.type
  }
}

const senderText = ({ senderId }: EventData['MessageReceived']) => (senderId === undefined ? '' : ` from ${senderId}`)

const checkedText = ({ senderChecks }: EventData['MessageReceived']) =>
  senderChecks === undefined ? '' : `; SPF ${senderChecks.spf}, DKIM ${senderChecks.dkim.join(' and ') || 'none'}`

const openedText = ({ part, reason }: EventData['RecordOpened']) =>
  `${part === undefined ? 'opened' : 'its header opened'} over the API${reason === undefined ? '' : `: ${reason}`}`
