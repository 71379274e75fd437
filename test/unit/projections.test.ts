import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { countMaildrop, maildropOf, type RetrievableMessage } from '../../projections/maildrops.ts'
import { deletedMailboxes, listMailboxes, mailboxByAddress, mailboxOf } from '../../projections/mailboxes.ts'
import { listMessages, messageOf, recordedFrom } from '../../projections/messages.ts'
import { type Page, viewReader } from '../../projections/projection.ts'
import { projections } from '../../projections/projections.ts'
import { deletedBefore, holdsAnything, nextWithDeleted, purging } from '../../projections/purges.ts'
import { fold } from '../../projections/runner.ts'
import { listSessions, sessionOf } from '../../projections/sessions.ts'
import { vaultKey } from '../../src/core/ids.ts'
import { anySender } from '../../src/core/senderPolicy.ts'
import { messageStream } from '../../src/core/streams.ts'
import type { MaildropEntry } from '../../src/maildrop.ts'
import {
  arrived,
  closed,
  connected,
  created,
  deleted,
  destroyed,
  fetched,
  held,
  loggedIn,
  opened,
  received,
  retained,
  restored,
  policed,
  purged,
  purgeDecided,
  relayed,
  relayRefused,
  released,
  renamed,
  reserved,
  resumed,
  retrieved,
  sealed,
  submitted,
  limited,
  suspended,
  unheld,
  updated,
} from './projectionsFacts.ts'
import {
  emptyViews,
  type Given,
  mailboxId,
  messageId,
  recorded,
  sessionId,
  tls,
  viewsAfter,
} from './projectionsGiven.ts'

const ids = (page: Page<{ readonly messageId: string }>) => page.items.map((item) => item.messageId)

test('a created mailbox is active, under the name, recipient and generation of its event', async () => {
  const views = await viewsAfter(reserved('a@example.org', 1), created(1, 'Archive'))
  assert.equal(mailboxOf(views, mailboxId(1)), {
    mailboxId: mailboxId(1),
    name: 'Archive',
    state: 'active',
    hold: undefined,
    grace: undefined,
    aliases: ['a@example.org'],
    recipient: 'age11',
    generation: 1,
    keyring: {
      generations: [
        {
          generation: 1,
          recipient: 'age11',
          createdAt: '2026-01-01T12:00:02.000Z',
          sha256: 'ab'.repeat(32),
          wrappedTo: 'password',
          recovery: null,
        },
      ],
      recovery: null,
    },
    proxy: { targets: [], networks: [] },
    senderPolicy: anySender,
    createdAt: '2026-01-01T12:00:02.000Z',
    revision: 0,
    streamRevision: 0,
  })
})

test('a mailbox that was never created is unknown', async () => {
  const views = await viewsAfter(created(1))
  assert.is(mailboxOf(views, mailboxId(2)), undefined)
})

test('the last limits of a mailbox hold', async () => {
  const first = limited(1, ['pop.example.net'], ['192.0.2.0/24'])
  assert.equal(mailboxOf(await viewsAfter(created(1), first, suspended(1)), mailboxId(1))?.proxy, {
    targets: ['pop.example.net'],
    networks: ['192.0.2.0/24'],
  })
  const last = mailboxOf(await viewsAfter(created(1), first, limited(1, [], [])), mailboxId(1))
  assert.equal([last?.proxy, last?.revision], [{ targets: [], networks: [] }, 2])
})

test('the last sender policy of a mailbox holds', async () => {
  const strict = { networks: [], requires: ['tls', 'token'], certificateNames: [], refusal: 'permanent' } as const
  const first = mailboxOf(await viewsAfter(created(1), policed(1, strict), suspended(1)), mailboxId(1))
  assert.equal([first?.senderPolicy, first?.revision], [strict, 2])
  const last = mailboxOf(await viewsAfter(created(1), policed(1, strict), policed(1, anySender)), mailboxId(1))
  assert.equal([last?.senderPolicy, last?.revision], [anySender, 2])
})

test('a mailbox follows its suspensions and resumptions, and its revision with them', async () => {
  const paused = mailboxOf(await viewsAfter(created(1), suspended(1)), mailboxId(1))
  assert.equal([paused?.state, paused?.revision], ['suspended', 1])
  const again = mailboxOf(await viewsAfter(created(1), suspended(1), resumed(1)), mailboxId(1))
  assert.equal([again?.state, again?.revision], ['active', 2])
})

test('a mailbox has the name that it was given last, and stands under a hold until that is released', async () => {
  const other = mailboxOf(await viewsAfter(created(1), renamed(1, 'Other'), held(1)), mailboxId(1))
  assert.equal(
    [other?.name, other?.state, other?.hold, other?.revision],
    ['Other', 'active', { reason: 'lawsuit', since: '2026-01-01T12:00:03.000Z' }, 2],
  )
  const free = mailboxOf(await viewsAfter(created(1), held(1), suspended(1), unheld(1)), mailboxId(1))
  assert.equal([free?.state, free?.hold, free?.revision], ['suspended', undefined, 3])
})

test('an address leads to the mailbox that reserved it, and to none once it was released', async () => {
  const held = await viewsAfter(created(1), reserved('a@example.org', 1))
  assert.is(mailboxByAddress(held, 'a@example.org')?.mailboxId, mailboxId(1))
  assert.is(mailboxByAddress(held, 'b@example.org'), undefined)
  const given = await viewsAfter(created(1), reserved('a@example.org', 1), released('a@example.org', 1))
  assert.is(mailboxByAddress(given, 'a@example.org'), undefined)
})

test('an address that a mailbox which never came to exist holds leads nowhere, until another takes it over', async () => {
  const orphaned = await viewsAfter(reserved('a@example.org', 1))
  assert.is(mailboxByAddress(orphaned, 'a@example.org'), undefined)
  const taken = await viewsAfter(reserved('a@example.org', 1), reserved('a@example.org', 2), created(2))
  assert.is(mailboxByAddress(taken, 'a@example.org')?.mailboxId, mailboxId(2))
})

test('a late release by an earlier holder does not take the address from the present one', async () => {
  const views = await viewsAfter(
    reserved('a@example.org', 1),
    reserved('a@example.org', 2),
    released('a@example.org', 1),
    created(2),
  )
  assert.is(mailboxByAddress(views, 'a@example.org')?.mailboxId, mailboxId(2))
})

test('mailboxes are listed in the order of their creation, page by page', async () => {
  const views = await viewsAfter(created(3), created(1), created(2))
  const first = listMailboxes(views, { limit: 2 })
  assert.equal(
    first.items.map((mailbox) => mailbox.mailboxId),
    [mailboxId(3), mailboxId(1)],
  )
  const second = listMailboxes(views, { after: first.next, limit: 2 })
  assert.equal(
    second.items.map((mailbox) => mailbox.mailboxId),
    [mailboxId(2)],
  )
  assert.is(second.next, undefined)
})

test('a message shows what its two events say of it', async () => {
  const views = await viewsAfter(arrived(7, 1))
  assert.equal(messageOf(views, messageId(7)), {
    messageId: messageId(7),
    mailboxId: mailboxId(1),
    size: 1007,
    wireSize: 1017,
    source: 'journal',
    target: undefined,
    relay: undefined,
    senderChecks: undefined,
    sessionId: sessionId(7),
    receivedAt: '2026-01-01T12:00:01.000Z',
    object: vaultKey(messageId(7)),
    generation: 1,
    sealedSize: 1207,
    sealedSha256: 'cd'.repeat(32),
    retrievals: 0,
    lastRetrievedAt: undefined,
    deletedAt: undefined,
    state: 'retrievable',
    purgedAt: undefined,
  })
})

test('a message that is received and not sealed is neither shown nor retrievable', async () => {
  const views = await viewsAfter(received(1, 1))
  assert.is(messageOf(views, messageId(1)), undefined)
  assert.equal(ids(listMessages(views, { mailboxId: mailboxId(1), limit: 9 })), [])
  assert.is(countMaildrop(views, mailboxId(1)), 0)
})

test('what a client sent is retrievable from the moment that the server has taken it, or has not said so', async () => {
  const pending = await viewsAfter(submitted(1, 1), submitted(2, 1), arrived(3, 1))
  assert.is(messageOf(pending, messageId(1))?.relay, 'pending')
  assert.is(messageOf(pending, messageId(1))?.target, 'smtp.example.net:465')
  assert.is(countMaildrop(pending, mailboxId(1)), 1)
  const taken = await viewsAfter(
    submitted(1, 1),
    submitted(2, 1),
    arrived(3, 1),
    relayed(2, 1),
    relayed(1, 1, 'unknown'),
  )
  assert.equal(
    [1, 2].map((n) => messageOf(taken, messageId(n))?.relay),
    ['unknown', 'accepted'],
  )
  assert.equal(
    maildropOf(taken, mailboxId(1), { limit: 9 }).items.map((entry) => entry.messageId),
    [3, 2, 1].map(messageId),
  )
})

test('what a client sent and the server refused is shown, and never retrievable', async () => {
  const views = await viewsAfter(submitted(1, 1), relayRefused(1, 1))
  assert.is(messageOf(views, messageId(1))?.relay, 'refused')
  assert.is(countMaildrop(views, mailboxId(1)), 0)
})

test('a message is known again by where it lay: in its mailbox, the newest first', async () => {
  const views = await viewsAfter(
    fetched(1, 1, 'here', 'old'),
    fetched(2, 1, 'here', 'new'),
    fetched(3, 2, 'there', 'x'),
  )
  assert.equal(recordedFrom(views, mailboxId(1), 'here'), { messageId: messageId(2), content: 'new' })
  assert.is(recordedFrom(views, mailboxId(1), 'there'), undefined)
  assert.is(countMaildrop(views, mailboxId(1)), 2)
})

test('a proxy connection is listed with the session on whose behalf it is, and its end closes it', async () => {
  const views = await viewsAfter(opened(1), connected(2, 1), closed(2))
  const connection = sessionOf(views, sessionId(2))
  assert.is(connection?.protocol, 'pop3-proxy')
  assert.is(connection?.clientSessionId, sessionId(1))
  assert.is(connection?.target, 'pop.example.net:995')
  assert.is(connection?.remoteAddress, '203.0.113.7')
  assert.is(connection?.outcome, 'quit')
  assert.is(sessionOf(views, sessionId(1))?.outcome, undefined)
})

test('of a deleted mailbox what was recorded after the look that was taken at it stays', async () => {
  const given = [created(1), arrived(1, 1), arrived(2, 1), suspended(1)] as const
  const [, first] = await recorded(...given).then((events) =>
    events.filter(({ stream }) => stream === messageStream(messageId(1))),
  )
  const views = await viewsAfter(...given, deleted(1, first?.position))
  assert.is(messageOf(views, messageId(1))?.state, 'deleted')
  assert.is(messageOf(views, messageId(2))?.state, 'retrievable')
})

test('a message counts its retrievals and remembers the last, and its first deletion', async () => {
  const views = await viewsAfter(arrived(1, 1), retrieved(1, 1), retrieved(1, 1), updated(1, 1), updated(1, 1))
  const message = messageOf(views, messageId(1))
  assert.is(message?.retrievals, 2)
  assert.is(message?.lastRetrievedAt, '2026-01-01T12:00:04.000Z')
  assert.is(message?.deletedAt, '2026-01-01T12:00:05.000Z')
})

test("a mailbox's messages are listed alone, in the order of the log, the deleted ones too", async () => {
  const views = await viewsAfter(arrived(3, 1), arrived(9, 2), arrived(1, 1), arrived(2, 1), updated(1, 1))
  const first = listMessages(views, { mailboxId: mailboxId(1), limit: 2 })
  assert.equal(ids(first), [messageId(3), messageId(1)])
  assert.equal(ids(listMessages(views, { mailboxId: mailboxId(1), after: first.next, limit: 2 })), [messageId(2)])
})

test('what arrives between two pages is neither skipped nor shown twice', async () => {
  const db = emptyViews()
  const events = await recorded(arrived(5, 1), arrived(4, 1), arrived(3, 1), arrived(2, 1), updated(1, 5))
  const views = viewReader(db)
  fold(db, projections, events.slice(0, 6))
  const of = { mailboxId: mailboxId(1), limit: 2 }
  const list = listMessages(views, of)
  const drop = maildropOf(views, mailboxId(1), of)
  fold(db, projections, events)
  assert.equal([...ids(list), ...ids(listMessages(views, { ...of, after: list.next }))], [5, 4, 3, 2].map(messageId))
  assert.equal(
    [...ids(drop), ...ids(maildropOf(views, mailboxId(1), { ...of, after: drop.next }))],
    [5, 4, 3, 2].map(messageId),
  )
})

test('a maildrop holds the retrievable messages of its mailbox in the order in which they became so', async () => {
  const views = await viewsAfter(received(1, 1), arrived(2, 1), arrived(8, 2), sealed(1, 1))
  const maildrop: readonly MaildropEntry[] = maildropOf(views, mailboxId(1), { limit: 9 }).items
  const entry = (n: number): RetrievableMessage => ({
    messageId: messageId(n),
    size: 1000 + n,
    wireSize: 1010 + n,
    object: vaultKey(messageId(n)),
    generation: 1,
    sealedSize: 1200 + n,
    sealedSha256: 'cd'.repeat(32),
  })
  assert.equal(maildrop, [entry(2), entry(1)])
  assert.is(countMaildrop(views, mailboxId(1)), 2)
})

test('what a QUIT deletes leaves the maildrop, and nothing else does', async () => {
  const views = await viewsAfter(arrived(1, 1), arrived(2, 1), arrived(3, 1), retrieved(2, 1), updated(1, 1, 3))
  assert.equal(ids(maildropOf(views, mailboxId(1), { limit: 9 })), [messageId(2)])
})

test("a QUIT deletes nothing of another mailbox's", async () => {
  const views = await viewsAfter(arrived(1, 1), arrived(2, 2), updated(2, 1, 2))
  assert.equal(ids(maildropOf(views, mailboxId(1), { limit: 9 })), [messageId(1)])
  assert.is(messageOf(views, messageId(1))?.deletedAt, undefined)
})

test('a session shows its peer, its login and its end', async () => {
  const views = await viewsAfter(opened(1), loggedIn(1, 4), closed(1))
  assert.equal(sessionOf(views, sessionId(1)), {
    sessionId: sessionId(1),
    node: 'test',
    protocol: 'pop3',
    remoteAddress: '192.0.2.1',
    clientSessionId: undefined,
    target: undefined,
    tls,
    openedAt: '2026-01-01T12:00:01.000Z',
    mailboxId: mailboxId(4),
    closedAt: '2026-01-01T12:00:03.000Z',
    outcome: 'quit',
    octetsIn: 10,
    octetsOut: 20,
  })
})

test('a session is the same in whatever order its opening and its login were recorded', async () => {
  const usual = sessionOf(await viewsAfter(opened(1), loggedIn(1, 4)), sessionId(1))
  const swapped = sessionOf(await viewsAfter(loggedIn(1, 4), opened(1)), sessionId(1))
  assert.equal({ ...swapped, openedAt: '' }, { ...usual, openedAt: '' })
})

test('sessions are listed in the order of the log, page by page', async () => {
  const views = await viewsAfter(opened(2), opened(1), closed(2), opened(3))
  const first = listSessions(views, { limit: 2 })
  const second = listSessions(views, { after: first.next, limit: 2 })
  assert.equal(
    [...first.items, ...second.items].map((session) => session.sessionId),
    [2, 1, 3].map(sessionId),
  )
})

const stateIn = async (...given: readonly Given[]) => {
  const message = messageOf(await viewsAfter(created(1), arrived(1, 1), arrived(2, 1), ...given), messageId(1))
  return [message?.state, message?.deletedAt !== undefined, message?.purgedAt !== undefined]
}

test('a message is retrievable, deleted, retrievable again, to be destroyed, destroyed', async () => {
  assert.equal(await stateIn(), ['retrievable', false, false])
  assert.equal(await stateIn(updated(1, 1)), ['deleted', true, false])
  assert.equal(await stateIn(updated(1, 1), restored(1, 1)), ['retrievable', false, false])
  assert.equal(await stateIn(updated(1, 1), purgeDecided(1, 1)), ['purging', true, false])
  assert.equal(await stateIn(updated(1, 1), purgeDecided(1, 1), purged(1, 1)), ['purged', true, true])
})

test('a restored message is the last of its maildrop', async () => {
  const views = await viewsAfter(created(1), arrived(1, 1), arrived(2, 1), updated(1, 1), restored(1, 1))
  assert.equal(ids(maildropOf(views, mailboxId(1), { limit: 10 })), [messageId(2), messageId(1)])
})

test('what is to be destroyed is found by the time it left the maildrop, until that is decided', async () => {
  const gone = [created(1), arrived(1, 1), arrived(2, 1), created(2), arrived(3, 2), updated(1, 1), updated(1, 2)]
  const found = async (before: string, ...more: readonly Given[]) =>
    deletedBefore(await viewsAfter(...gone, ...more), { mailboxId: mailboxId(1), before, limit: 10 }).map(
      (one) => one.messageId,
    )
  assert.equal(await found('2026-01-01T12:00:08.999Z'), [])
  assert.equal(await found('2026-01-01T12:00:09.000Z'), [messageId(1)])
  assert.equal(await found('2026-01-01T12:00:10.000Z'), [messageId(1), messageId(2)])
  assert.equal(await found('2027', restored(1, 1)), [messageId(2)])
  assert.equal(await found('2027', purgeDecided(1, 1)), [messageId(2)])
})

test('the mailboxes of which something is to be destroyed are gone through one by one', async () => {
  const views = await viewsAfter(
    ...[1, 2, 3].flatMap((n) => [created(n), arrived(n, n)]),
    ...[updated(1, 1), updated(3, 3)],
  )
  assert.is(nextWithDeleted(views, ''), mailboxId(1))
  assert.is(nextWithDeleted(views, mailboxId(1)), mailboxId(3))
  assert.is(nextWithDeleted(views, mailboxId(3)), undefined)
})

test('what was decided and not done is found, page by page', async () => {
  const views = await viewsAfter(
    ...[created(1), arrived(1, 1), arrived(2, 1), arrived(3, 1), updated(1, 1, 2, 3)],
    ...[purgeDecided(1, 1, 2, 3), purged(2, 1)],
  )
  const first = purging(views, { limit: 1 })
  assert.equal([...ids(first), ...ids(purging(views, { after: first.next, limit: 1 }))], [messageId(1), messageId(3)])
})

test('a deleted mailbox is known by its id and not listed, and its messages have left the maildrop', async () => {
  const given = [created(1), created(2), arrived(1, 1), submitted(2, 1), suspended(1), deleted(1)]
  const views = await viewsAfter(...given)
  assert.is(mailboxOf(views, mailboxId(1))?.state, 'deleted')
  assert.equal(deletedMailboxes(views), [mailboxId(1)])
  assert.equal(
    listMailboxes(views, { limit: 10 }).items.map((one) => one.mailboxId),
    [mailboxId(2)],
  )
  assert.equal(
    [1, 2].map((n) => messageOf(views, messageId(n))?.state),
    ['deleted', 'pending'],
  )
  assert.ok(holdsAnything(views, mailboxId(1)))
  const after = await viewsAfter(
    ...given.filter((one) => one[0] !== `message-${messageId(2)}`),
    ...[purgeDecided(1, 1), purged(1, 1), destroyed(1)],
  )
  assert.is(mailboxOf(after, mailboxId(1))?.state, 'destroyed')
  assert.equal([deletedMailboxes(after), holdsAnything(after, mailboxId(1))], [[], false])
})

test('what becomes of messages moves the mailbox’s stream on, and not its revision', async () => {
  const views = await viewsAfter(
    ...[created(1), arrived(1, 1), retained(1, 3600), updated(1, 1), restored(1, 1), updated(1, 1)],
    ...[purgeDecided(1, 1)],
  )
  const mailbox = mailboxOf(views, mailboxId(1))
  assert.equal([mailbox?.grace, mailbox?.revision, mailbox?.streamRevision], [3600, 1, 3])
  assert.is(
    mailboxOf(await viewsAfter(created(1), retained(1, 3600), retained(1, null)), mailboxId(1))?.grace,
    undefined,
  )
})

test.run()
