import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { commandHere } from '../support/commandHere.ts'
import { arrived, created, updated } from './projectionsFacts.ts'
import { append, mailboxId, messageId, steppingClock } from './projectionsGiven.ts'

const test = suite('replay')
const data = mkdtempSync(join(tmpdir(), 'sealpost-replay-'))
const count = 1002
const log = sqliteLog({ file: join(data, 'events.db'), clock: steppingClock() })
await append(log, [created(1), ...Array.from({ length: count }, (_, n) => arrived(n + 1, 1)), updated(1, 1)])
await log.close()
test.after(() => rmSync(data, { recursive: true }))

const run = (...words: readonly string[]) => commandHere(['replay', ...words, '--data', '.'], { cwd: data, env: {} })

test('all pages are one JSON document', async () => {
  const { stdout } = await run('maildrop', '--mailbox', mailboxId(1), '--json')
  const { asOf, maildrop } = JSON.parse(stdout) as { asOf: object; maildrop: { readonly messageId: string }[] }
  assert.equal(asOf, { position: String(2 * count + 2).padStart(16, '0'), recordedAt: '2026-01-01T12:16:44.000Z' })
  assert.is(maildrop.length, count - 1)
  assert.is(maildrop[0]?.messageId, messageId(2))
})

test('a moment before the first event is an empty document, and a sentence', async () => {
  const { stdout } = await run('mailboxes', '--until', '2025-12-31', '--json')
  assert.equal(JSON.parse(stdout), { asOf: { position: null, recordedAt: null }, mailboxes: [] })
  const told = (await run('mailboxes', '--until', '2025-12-31')).stdout
  assert.is(told, 'Before the first event of the log.\n\nThere was nothing.\n')
})

test('people get a table that says as of when it is', async () => {
  const { stdout } = await run('messages', '--mailbox', mailboxId(1))
  const [moment, , heading, first, ...others] = stdout.trimEnd().split('\n')
  assert.is(moment, 'As of 2026-01-01T12:16:44.000Z, position 0000000000002006.')
  assert.match(String(heading), /^MESSAGE +RECEIVED +SIZE +RETRIEVALS +STATE$/)
  assert.match(String(first), new RegExp(`^${messageId(1)} .* deleted$`))
  assert.is(others.length, count - 1)
})

test('what cannot be meant is said, with the usage', async () => {
  const refused = {
    sessions: /VIEW must be one of mailboxes, messages, maildrop/,
    messages: /--mailbox is missing/,
    'mailboxes --mailbox a': /leave --mailbox out/,
    'mailboxes --until yesterday': /--until cannot be "yesterday"/,
    'mailboxes --until 2026-01-01 --position 1': /not both/,
  }
  for (const [words, said] of Object.entries(refused)) {
    const { code, stderr } = await run(...words.split(' '))
    assert.is(code, 2, words)
    assert.match(stderr, said)
  }
})

test('a position that the log does not hold is a failure in one sentence', async () => {
  const { code, stderr } = await run('mailboxes', '--position', '9999999999999999')
  assert.is(code, 1)
  assert.is(stderr, 'sealpost: The log holds no event at position 9999999999999999\n')
})

test.run()
