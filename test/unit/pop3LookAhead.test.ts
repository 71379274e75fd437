import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { newMessageId, vaultKey } from '../../src/core/ids.ts'
import type { MaildropEntry } from '../../src/maildrop.ts'
import { lookAhead, messagesAhead } from '../../src/pop3/lookAhead.ts'

const entry = (wireSize: number): MaildropEntry => {
  const messageId = newMessageId()
  return {
    messageId,
    size: wireSize,
    wireSize,
    object: vaultKey(messageId),
    generation: 1,
    sealedSize: wireSize,
    sealedSha256: '',
  }
}

const recording = () => {
  const begun: MaildropEntry[] = []
  const aborted: MaildropEntry[] = []
  const ahead = lookAhead((entry) => {
    begun.push(entry)
    return { entry, opened: Promise.resolve({ head: [], rest: undefined }), abort: () => aborted.push(entry) }
  })
  return { ahead, begun, aborted }
}

test('no more messages are begun early than the bound, and taking one makes room', () => {
  const { ahead, begun } = recording()
  const entries = Array.from({ length: 50 }, () => entry(10))
  ahead.prepare(entries)
  assert.equal(begun, entries.slice(0, messagesAhead))
  ahead.take(entries[0] ?? entry(0))
  ahead.prepare(entries.slice(1))
  assert.equal(begun, entries.slice(0, messagesAhead + 1))
})

test('messages begun early are at most one MiB together', () => {
  const { ahead, begun } = recording()
  const entries = [entry(600 * 1024), entry(400 * 1024), entry(100 * 1024), entry(1)]
  ahead.prepare(entries)
  assert.equal(begun, entries.slice(0, 2))
})

test('a message is begun once for the one that takes it, and again for the next', () => {
  const { ahead, begun } = recording()
  const one = entry(10)
  ahead.prepare([one, one])
  assert.is(begun.length, 1)
  ahead.take(one)
  assert.is(begun.length, 1)
  ahead.take(one)
  assert.is(begun.length, 2)
})

test('what was begun and not taken is aborted at the end', () => {
  const { ahead, aborted } = recording()
  const [first, second] = [entry(1), entry(1)]
  ahead.prepare([first, second])
  ahead.take(first)
  ahead.abort()
  assert.equal(aborted, [second])
})

test.run()
