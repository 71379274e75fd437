import { setTimeout as delay } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { judgeSignatures } from '../../src/senderChecks/judge.ts'

const test = suite('judge')

const header = Buffer.from(
  'DKIM-Signature: v=1; a=ed25519-sha256; d=a.example; s=s; h=from; bh=x; b=x\r\nFrom: a@a.example\r\n\r\n',
)
const lines = Buffer.from(`${'x'.repeat(62)}\r\n`.repeat(2048))
const silence = () => new Promise<never>(() => undefined)
const soon = <T>(answer: Promise<T>) => Promise.race([answer, delay(1000, 'never' as const, { ref: false })])

test('whoever waits for room in a message that is dropped has an answer', async () => {
  const message = judgeSignatures(silence)
  await message.take(header)
  const waiting = Array.from({ length: 20 }, () => message.take(lines))
  message.drop()
  assert.equal((await soon(Promise.all(waiting))).at(-1), ['temperror'])
})

test('whoever waits for the results of a message that is dropped has an answer, before its end and after', async () => {
  for (const first of ['end', 'drop'] as const) {
    const message = judgeSignatures(silence)
    await message.take(header)
    if (first === 'drop') message.drop()
    const results = message.end()
    message.drop()
    assert.equal(await soon(results), ['temperror'], first)
  }
})

test('a line that is too long is the answer to those that wait, too', async () => {
  const message = judgeSignatures(silence)
  await message.take(header)
  const long = Buffer.alloc(200 * 1024, 'x')
  const waiting = [...Array.from({ length: 20 }, () => message.take(lines)), message.take(long), message.take(long)]
  assert.equal((await soon(Promise.all(waiting))).slice(-3), [['policy'], ['policy'], ['policy']])
})

test.run()
