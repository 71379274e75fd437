import type { EventData } from '../../src/core/events.ts'
import { type Position, vaultKey } from '../../src/core/ids.ts'
import type { SenderPolicy } from '../../src/core/senderPolicy.ts'
import { aliasStream, maildropStream, mailboxStream, messageStream, sessionStream } from '../../src/core/streams.ts'
import { type Given, mailboxId, messageId, sessionId, tls } from './projectionsGiven.ts'

// Groups of facts as the use cases append them; `n` numbers mailboxes, messages and sessions.

export const created = (n: number, name = `Mailbox ${n}`): Given => [
  mailboxStream(mailboxId(n)),
  {
    type: 'MailboxCreated',
    data: {
      mailboxId: mailboxId(n),
      name,
      aliases: [],
      recipient: `age1${n}`,
      generation: 1,
      identitySha256: 'ab'.repeat(32),
    },
  },
]
export const suspended = (n: number): Given => [
  mailboxStream(mailboxId(n)),
  { type: 'MailboxSuspended', data: { mailboxId: mailboxId(n), reason: 'audit' } },
]
export const resumed = (n: number): Given => [
  mailboxStream(mailboxId(n)),
  { type: 'MailboxResumed', data: { mailboxId: mailboxId(n) } },
]
export const renamed = (n: number, name: string): Given => [
  mailboxStream(mailboxId(n)),
  { type: 'MailboxRenamed', data: { mailboxId: mailboxId(n), name } },
]
export const limited = (n: number, targets: readonly string[], networks: readonly string[]): Given => [
  mailboxStream(mailboxId(n)),
  { type: 'MailboxProxyLimited', data: { mailboxId: mailboxId(n), targets, networks } },
]
export const policed = (n: number, policy: SenderPolicy): Given => [
  mailboxStream(mailboxId(n)),
  { type: 'MailboxSenderPolicySet', data: { mailboxId: mailboxId(n), ...policy } },
]
export const held = (n: number): Given => [
  mailboxStream(mailboxId(n)),
  { type: 'HoldPlaced', data: { mailboxId: mailboxId(n), reason: 'lawsuit' } },
]
export const unheld = (n: number): Given => [
  mailboxStream(mailboxId(n)),
  { type: 'HoldReleased', data: { mailboxId: mailboxId(n), reason: 'settled' } },
]
/** Beyond all that is in the log, unless it is said where. */
export const deleted = (n: number, through = '9'.repeat(16) as Position): Given => [
  mailboxStream(mailboxId(n)),
  { type: 'MailboxDeleted', data: { mailboxId: mailboxId(n), reason: 'gone', through } },
]
export const destroyed = (n: number): Given => [
  mailboxStream(mailboxId(n)),
  { type: 'MailboxDestroyed', data: { mailboxId: mailboxId(n) } },
]
export const retained = (n: number, grace: number | null): Given => [
  mailboxStream(mailboxId(n)),
  { type: 'MailboxRetentionSet', data: { mailboxId: mailboxId(n), grace } },
]
export const restored = (n: number, mailbox: number): Given => [
  mailboxStream(mailboxId(mailbox)),
  { type: 'MessageRestored', data: { mailboxId: mailboxId(mailbox), messageId: messageId(n) } },
]
export const purgeDecided = (mailbox: number, ...messages: readonly number[]): Given => [
  mailboxStream(mailboxId(mailbox)),
  { type: 'PurgeDecided', data: { mailboxId: mailboxId(mailbox), messageIds: messages.map(messageId) } },
]
export const purged = (n: number, mailbox: number): Given => [
  messageStream(messageId(n)),
  { type: 'MessagePurged', data: { messageId: messageId(n), mailboxId: mailboxId(mailbox) } },
]
export const reserved = (alias: string, n: number): Given => [
  aliasStream(alias),
  { type: 'AliasReserved', data: { mailboxId: mailboxId(n), alias } },
]
export const released = (alias: string, n: number): Given => [
  aliasStream(alias),
  { type: 'AliasReleased', data: { mailboxId: mailboxId(n), alias } },
]

const receivedFact = (n: number, mailbox: number, more: Partial<EventData['MessageReceived']> = {}) =>
  ({
    type: 'MessageReceived',
    data: {
      messageId: messageId(n),
      mailboxId: mailboxId(mailbox),
      size: 1000 + n,
      wireSize: 1010 + n,
      source: 'journal',
      sessionId: sessionId(n),
      tls,
      ...more,
    },
  }) as const
const sealedFact = (n: number, mailbox: number) =>
  ({
    type: 'MessageSealed',
    data: {
      messageId: messageId(n),
      mailboxId: mailboxId(mailbox),
      object: vaultKey(messageId(n)),
      generation: 1,
      sealedSize: 1200 + n,
      sealedSha256: 'cd'.repeat(32),
    },
  }) as const

export const arrived = (n: number, mailbox: number): Given => [
  messageStream(messageId(n)),
  receivedFact(n, mailbox),
  sealedFact(n, mailbox),
]
/** What a client sent through the proxy; the server has not answered yet. */
export const submitted = (n: number, mailbox: number): Given => [
  messageStream(messageId(n)),
  receivedFact(n, mailbox, { source: 'smtp-proxy', target: 'smtp.example.net:465' }),
  sealedFact(n, mailbox),
]
/** What a client fetched through the proxy from this place. */
export const fetched = (n: number, mailbox: number, origin: string, content: string): Given => [
  messageStream(messageId(n)),
  receivedFact(n, mailbox, {
    source: 'pop3-proxy',
    target: 'pop.example.net:995',
    fingerprint: { origin, content },
  }),
  sealedFact(n, mailbox),
]
export const relayed = (n: number, mailbox: number, outcome: 'accepted' | 'unknown' = 'accepted'): Given => [
  messageStream(messageId(n)),
  {
    type: 'MessageRelayed',
    data: {
      messageId: messageId(n),
      mailboxId: mailboxId(mailbox),
      outcome,
      code: outcome === 'accepted' ? 250 : null,
    },
  },
]
export const relayRefused = (n: number, mailbox: number): Given => [
  messageStream(messageId(n)),
  { type: 'MessageRelayRefused', data: { messageId: messageId(n), mailboxId: mailboxId(mailbox), code: 554 } },
]
export const received = (n: number, mailbox: number): Given => [messageStream(messageId(n)), receivedFact(n, mailbox)]
export const sealed = (n: number, mailbox: number): Given => [messageStream(messageId(n)), sealedFact(n, mailbox)]

export const retrieved = (n: number, mailbox: number): Given => [
  messageStream(messageId(n)),
  {
    type: 'MessageRetrieved',
    data: { messageId: messageId(n), mailboxId: mailboxId(mailbox), sessionId: sessionId(0) },
  },
]
export const updated = (mailbox: number, ...deleted: readonly number[]): Given => [
  maildropStream(mailboxId(mailbox)),
  {
    type: 'MaildropUpdated',
    data: { mailboxId: mailboxId(mailbox), sessionId: sessionId(0), deleted: deleted.map(messageId) },
  },
]

export const opened = (n: number): Given => [
  sessionStream(sessionId(n)),
  { type: 'SessionOpened', data: { protocol: 'pop3', remoteAddress: '192.0.2.1', tls: null } },
]
/** A proxy connection of its own number on behalf of a session. */
export const connected = (n: number, client: number): Given => [
  sessionStream(sessionId(n)),
  {
    type: 'ProxyConnected',
    data: {
      clientSessionId: sessionId(client),
      protocol: 'pop3-proxy',
      target: 'pop.example.net:995',
      remoteAddress: '203.0.113.7',
      tls,
      mechanism: 'USER',
    },
  },
]
export const loggedIn = (n: number, mailbox: number): Given => [
  sessionStream(sessionId(n)),
  { type: 'LoginAccepted', data: { mailboxId: mailboxId(mailbox), tls } },
]
export const closed = (n: number): Given => [
  sessionStream(sessionId(n)),
  {
    type: 'SessionClosed',
    data: { outcome: 'quit', octetsIn: 10, octetsOut: 20, transcript: null, transcriptSha256: null },
  },
]
