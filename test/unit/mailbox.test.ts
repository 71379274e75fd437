import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { getShortestPaths } from 'xstate/graph'
import { mailbox, type MailboxChange, type MailboxState, mayDo, stateAfter } from '../../actors/mailbox.ts'

const states: readonly MailboxState[] = ['absent', 'active', 'suspended']
const changes: readonly MailboxChange['type'][] = ['created', 'suspended', 'resumed', 'limited']

test('every state of a mailbox can be reached', () => {
  const reached = getShortestPaths(mailbox, { events: changes.map((type) => ({ type })) }).map(
    ({ state }) => state.value,
  )
  assert.equal([...reached].sort(), [...states].sort())
})

test('each change of state is allowed in one state only; limits may change in every one but the first', () => {
  const moves = states.flatMap((from) =>
    changes.map((type) => [from, type, stateAfter(from, { type })]).filter(([, , to]) => to !== undefined),
  )
  assert.equal(moves, [
    ['absent', 'created', 'active'],
    ['active', 'suspended', 'suspended'],
    ['active', 'limited', 'active'],
    ['suspended', 'resumed', 'active'],
    ['suspended', 'limited', 'suspended'],
  ])
})

test('a command may be done where the change that it makes is allowed', () => {
  const actions = ['create', 'suspend', 'resume', 'limit'] as const
  const allowed = states.map((state) => actions.filter((one) => mayDo(state, one)))
  assert.equal(allowed, [['create'], ['suspend', 'limit'], ['resume', 'limit']])
})

test.run()
