import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { getShortestPaths } from 'xstate/graph'
import { mailbox, type MailboxChange, type MailboxState, mayDo, stateAfter } from '../../actors/mailbox.ts'

const states: readonly MailboxState[] = ['absent', 'active', 'suspended']
const changes: readonly MailboxChange['type'][] = ['created', 'suspended', 'resumed']

test('every state of a mailbox can be reached', () => {
  const reached = getShortestPaths(mailbox, { events: changes.map((type) => ({ type })) }).map(
    ({ state }) => state.value,
  )
  assert.equal([...reached].sort(), [...states].sort())
})

test('each change is allowed in one state only, and leads to one other', () => {
  const moves = states.flatMap((from) =>
    changes.map((type) => [from, type, stateAfter(from, { type })]).filter(([, , to]) => to !== undefined),
  )
  assert.equal(moves, [
    ['absent', 'created', 'active'],
    ['active', 'suspended', 'suspended'],
    ['suspended', 'resumed', 'active'],
  ])
})

test('a command may be done where the change that it makes is allowed', () => {
  const allowed = states.map((state) => (['create', 'suspend', 'resume'] as const).filter((one) => mayDo(state, one)))
  assert.equal(allowed, [['create'], ['suspend'], ['resume']])
})

test.run()
