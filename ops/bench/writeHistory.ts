import { createHash } from 'node:crypto'
import { type Cause, type Fact, stamper } from '../../src/core/events.ts'
import {
  type MailboxId,
  type MessageId,
  newCommandId,
  newMailboxId,
  newMessageId,
  newSessionId,
  type SessionId,
  vaultKey,
} from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/ports.ts'
import { mailboxStream, maildropStream, messageStream, sessionStream, type StreamName } from '../../src/core/streams.ts'
import { pathsIn } from '../../src/dataDirectory.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'

type Group = readonly [StreamName, ...(readonly Fact[])]

const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' } as const

const arrival = (messageId: MessageId, mailboxId: MailboxId, sessionId: SessionId): Group => {
  const sealedSha256 = createHash('sha256').update(messageId).digest('hex')
  const sizes = { size: 10_500, wireSize: 10_500 }
  return [
    messageStream(messageId),
    { type: 'MessageReceived', data: { messageId, mailboxId, ...sizes, source: 'journal', sessionId, tls } },
    {
      type: 'MessageSealed',
      data: { messageId, mailboxId, object: vaultKey(messageId), generation: 1, sealedSize: 10_700, sealedSha256 },
    },
  ]
}

/** Ten mails that came in one session and were collected in another, half of them deleted: 36 events. */
/** As long as that of ten mails. */
const transcriptOf = (session: SessionId) => {
  const line = `28 rcpt mailbox mbx-${'0'.repeat(32)} > open.transaction.addressed 250/2.1.5\n`
  return { transcript: `session ${session}\n${line.repeat(40)}`, transcriptSha256: '0'.repeat(64) }
}

const tenMails = (mailboxId: MailboxId): readonly (readonly [SessionId, Group])[] => {
  const [sender, archive] = [newSessionId(), newSessionId()]
  const ids = Array.from({ length: 10 }, newMessageId)
  const closed = { outcome: 'quit', octetsIn: 100_000, octetsOut: 100_000, ...transcriptOf(sender) } as const
  const of = (sessionId: SessionId, fact: Fact): readonly [SessionId, Group] => [
    sessionId,
    [sessionStream(sessionId), fact],
  ]
  return [
    of(sender, { type: 'SessionOpened', data: { protocol: 'smtp', remoteAddress: '192.0.2.1', tls } }),
    ...ids.map((id) => [sender, arrival(id, mailboxId, sender)] as const),
    of(sender, { type: 'SessionClosed', data: closed }),
    of(archive, { type: 'SessionOpened', data: { protocol: 'pop3s', remoteAddress: '192.0.2.2', tls } }),
    of(archive, { type: 'LoginAccepted', data: { mailboxId, tls } }),
    ...ids.map((messageId) => {
      const retrieved = { type: 'MessageRetrieved', data: { messageId, mailboxId, sessionId: archive } } as const
      return [archive, [messageStream(messageId), retrieved]] as const
    }),
    [
      archive,
      [
        maildropStream(mailboxId),
        { type: 'MaildropUpdated', data: { mailboxId, sessionId: archive, deleted: ids.slice(0, 5) } },
      ],
    ],
    of(archive, { type: 'SessionClosed', data: closed }),
  ]
}

const writer = (data: string) => {
  const log = sqliteLog({ file: pathsIn(data).log, clock: systemClock })
  const stamp = stamper('scratch', () => systemClock.now())
  return {
    put: (sessionId: SessionId, [stream, ...facts]: Group) => {
      const cause: Cause = { principal: 'peer:192.0.2.1', correlationId: sessionId, causationId: sessionId }
      const events = facts.map((fact) => stamp(fact, cause))
      return log.append({ stream, expected: 'any', commandId: newCommandId(), events })
    },
    close: () => log.close(),
  }
}

/** Writes the events of so many messages of one mailbox into the log of a data directory, as the gateway would have. */
export const writeMessages = async (data: string, mailboxId: MailboxId, messages: number): Promise<void> => {
  const { put, close } = writer(data)
  const sessionId = newSessionId()
  const one = () => put(sessionId, arrival(newMessageId(), mailboxId, sessionId))
  for (let written = 0; written < messages; written += 1000) await Promise.all(Array.from({ length: 1000 }, one))
  await close()
}

const creation = (mailboxId: MailboxId, name: string): Group => {
  const keys = { recipient: `age1${'q'.repeat(58)}`, generation: 1, identitySha256: '0'.repeat(64) }
  return [mailboxStream(mailboxId), { type: 'MailboxCreated', data: { mailboxId, name, aliases: [], ...keys } }]
}

/** Mails that came in one session and that nobody has collected. */
const uncollected = (mailboxId: MailboxId, messages: number): readonly (readonly [SessionId, Group])[] => {
  const sessionId = newSessionId()
  const closed = { outcome: 'quit', octetsIn: 100_000, octetsOut: 100_000, ...transcriptOf(sessionId) } as const
  const opened = { protocol: 'smtp', remoteAddress: '192.0.2.1', tls } as const
  return [
    [sessionId, [sessionStream(sessionId), { type: 'SessionOpened', data: opened }]],
    ...Array.from({ length: messages }, () => [sessionId, arrival(newMessageId(), mailboxId, sessionId)] as const),
    [sessionId, [sessionStream(sessionId), { type: 'SessionClosed', data: closed }]],
  ]
}

/**
 * Writes so many mailboxes, without their keys, and so many messages that came for them in turn, ten in a session; one in
 * twenty of the sessions' mails were collected and half of those deleted. Gives the mailboxes.
 */
export const writeMailboxes = async (
  data: string,
  wanted: { readonly mailboxes: number; readonly messages: number },
): Promise<readonly MailboxId[]> => {
  const { put, close } = writer(data)
  const all = (groups: readonly (readonly [SessionId, Group])[]) =>
    Promise.all(groups.map(([sessionId, group]) => put(sessionId, group)))
  const mailboxes = Array.from({ length: wanted.mailboxes }, newMailboxId)
  const page = 100
  for (let n = 0; n < mailboxes.length; n += page)
    await all(mailboxes.slice(n, n + page).map((id, m) => [newSessionId(), creation(id, `Mailbox ${n + m + 1}`)]))
  for (let written = 0; written < wanted.messages; written += 10 * page)
    await all(
      Array.from({ length: page }, (_, n) => {
        const mailboxId = mailboxes[(written / 10 + n) % mailboxes.length] as MailboxId
        return n % 20 === 0 ? tenMails(mailboxId) : uncollected(mailboxId, 10)
      }).flat(),
    )
  await close()
  return mailboxes
}

/** Writes about so many events: mails that come, are collected and deleted, in their sessions. */
export const writeEvents = async (data: string, mailboxes: readonly MailboxId[], events: number): Promise<void> => {
  const { put, close } = writer(data)
  for (let written = 0; written < events;) {
    const groups = mailboxes.flatMap(tenMails)
    await Promise.all(groups.map(([sessionId, group]) => put(sessionId, group)))
    written += 36 * mailboxes.length
  }
  await close()
}
