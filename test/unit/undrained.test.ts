import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { oldestInMaildrops } from '../../projections/maildrops.ts'
import { newMailboxId, newSessionId } from '../../src/core/ids.ts'
import { maildropStream } from '../../src/core/streams.ts'
import { oldestAge } from '../../src/metrics/observation.ts'
import { doubles } from '../wire/httpDoubles.ts'

const { api, happened, mailboxExists, messageExists, close, reset } = doubles()
test.before.each(reset)
test.after(close)
const { reader } = api.views
const received = Date.parse('2026-03-01T10:00:00.000Z')
const clock = { now: () => new Date(received + 60_000) }

test('without a message in any maildrop there is no age', async () => {
  assert.is(await oldestAge(reader, clock), 0)
  mailboxExists(newMailboxId(), 'empty')
  assert.is(await oldestAge(reader, clock), 0)
})

test('the oldest message of all maildrops counts until it is collected and deleted, on whatever page its mailbox is', async () => {
  const mailboxes = Array.from({ length: 5 }, newMailboxId)
  mailboxes.forEach((id, index) => mailboxExists(id, `mailbox ${index}`))
  const [, , third] = mailboxes
  if (third === undefined) throw new Error('five were made')
  const messageId = messageExists(third)
  assert.is(await oldestAge(reader, clock), 60)

  const pages: (string | undefined)[] = []
  for (let after: string | undefined = ''; after !== undefined;) {
    const page = oldestInMaildrops(reader, { after, limit: 2 })
    pages.push(page.receivedAt)
    after = page.next
  }
  assert.is(pages.length, 3)
  assert.equal(
    pages.filter((time) => time !== undefined),
    [new Date(received).toISOString()],
  )

  const data = { mailboxId: third, deleted: [messageId], fence: 0, sessionId: newSessionId() }
  happened(maildropStream(third), { type: 'MaildropUpdated', data } as never)
  assert.is(await oldestAge(reader, clock), 0)
})

test.run()
