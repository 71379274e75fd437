import { setImmediate as nextTurn } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type InputHandlers, SmtpInput } from '../../src/smtp/input.ts'
import { turnTime } from '../../src/wire/turn.ts'

const nothing = () => {}
const handlers: InputHandlers = {
  received: nothing,
  line: nothing,
  lineTooLong: nothing,
  endless: nothing,
  content: () => true,
  endOfData: nothing,
  pause: nothing,
  resumed: nothing,
  finished: nothing,
}
const lines = 200
const commands = Buffer.from('NOOP\r\n'.repeat(lines))
const costly = () => {
  for (const begun = performance.now(); performance.now() - begun < turnTime / 3;);
}

test('who sends without a pause has his turn, and then others have theirs', async () => {
  let handled = 0
  const line = () => {
    costly()
    handled += 1
  }
  const input = new SmtpInput({ ...handlers, line }, 100)
  input.write(commands)
  assert.ok(handled > 0 && handled < 5, `${handled}`)
  while (handled < lines) {
    const before = handled
    await nextTurn()
    assert.ok(handled - before < 5, `${handled - before}`)
  }
})

test('who is held after each command has no longer a turn for that', async () => {
  let handled = 0
  const input: SmtpInput = new SmtpInput(
    {
      ...handlers,
      line: () => {
        costly()
        handled += 1
        input.hold()
        queueMicrotask(() => input.resume())
      },
    },
    100,
  )
  input.write(commands)
  while (handled < lines) {
    const before = handled
    await nextTurn()
    assert.ok(handled - before < 10, `${handled - before}`)
  }
})

test.run()
