import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { getShortestPaths } from 'xstate/graph'
import {
  mailbox,
  type MailboxAction,
  type MailboxChange,
  type MailboxState,
  mayDo,
  stateAfter,
} from '../../actors/mailbox.ts'

const states: readonly MailboxState[] = [
  'absent',
  'active',
  'activeHeld',
  'suspended',
  'suspendedHeld',
  'deleted',
  'destroyed',
  'abandoned',
]
const changes: readonly MailboxChange['type'][] = [
  'created',
  'renamed',
  'aliasesChanged',
  'suspended',
  'resumed',
  'held',
  'released',
  'limited',
  'senderPolicySet',
  'retentionSet',
  'passwordChanged',
  'recovered',
  'keyRotated',
  'passwordReset',
  'recoverySet',
  'restored',
  'purgeDecided',
  'deleted',
  'destroyed',
  'abandoned',
]

test('every state of a mailbox can be reached', () => {
  const reached = getShortestPaths(mailbox, { events: changes.map((type) => ({ type })) }).map(
    ({ state }) => state.value,
  )
  assert.equal([...reached].sort(), [...states].sort())
})

/** From each state, by what, to which. What is not here cannot happen. */
const moves: readonly (readonly [MailboxState, MailboxChange['type'], MailboxState])[] = [
  ['absent', 'created', 'active'],
  ['absent', 'abandoned', 'abandoned'],
  ['active', 'renamed', 'active'],
  ['active', 'aliasesChanged', 'active'],
  ['active', 'suspended', 'suspended'],
  ['active', 'held', 'activeHeld'],
  ['active', 'limited', 'active'],
  ['active', 'senderPolicySet', 'active'],
  ['active', 'retentionSet', 'active'],
  ['active', 'passwordChanged', 'active'],
  ['active', 'recovered', 'active'],
  ['active', 'keyRotated', 'active'],
  ['active', 'passwordReset', 'active'],
  ['active', 'recoverySet', 'active'],
  ['active', 'restored', 'active'],
  ['active', 'purgeDecided', 'active'],
  ['activeHeld', 'renamed', 'activeHeld'],
  ['activeHeld', 'aliasesChanged', 'activeHeld'],
  ['activeHeld', 'suspended', 'suspendedHeld'],
  ['activeHeld', 'released', 'active'],
  ['activeHeld', 'limited', 'activeHeld'],
  ['activeHeld', 'senderPolicySet', 'activeHeld'],
  ['activeHeld', 'retentionSet', 'activeHeld'],
  ['activeHeld', 'passwordChanged', 'activeHeld'],
  ['activeHeld', 'recovered', 'activeHeld'],
  ['activeHeld', 'keyRotated', 'activeHeld'],
  ['activeHeld', 'passwordReset', 'activeHeld'],
  ['activeHeld', 'recoverySet', 'activeHeld'],
  ['activeHeld', 'restored', 'activeHeld'],
  ['suspended', 'renamed', 'suspended'],
  ['suspended', 'aliasesChanged', 'suspended'],
  ['suspended', 'resumed', 'active'],
  ['suspended', 'held', 'suspendedHeld'],
  ['suspended', 'limited', 'suspended'],
  ['suspended', 'senderPolicySet', 'suspended'],
  ['suspended', 'retentionSet', 'suspended'],
  ['suspended', 'passwordChanged', 'suspended'],
  ['suspended', 'recovered', 'suspended'],
  ['suspended', 'keyRotated', 'suspended'],
  ['suspended', 'passwordReset', 'suspended'],
  ['suspended', 'recoverySet', 'suspended'],
  ['suspended', 'restored', 'suspended'],
  ['suspended', 'purgeDecided', 'suspended'],
  ['suspended', 'deleted', 'deleted'],
  ['suspendedHeld', 'renamed', 'suspendedHeld'],
  ['suspendedHeld', 'aliasesChanged', 'suspendedHeld'],
  ['suspendedHeld', 'resumed', 'activeHeld'],
  ['suspendedHeld', 'released', 'suspended'],
  ['suspendedHeld', 'limited', 'suspendedHeld'],
  ['suspendedHeld', 'senderPolicySet', 'suspendedHeld'],
  ['suspendedHeld', 'retentionSet', 'suspendedHeld'],
  ['suspendedHeld', 'passwordChanged', 'suspendedHeld'],
  ['suspendedHeld', 'recovered', 'suspendedHeld'],
  ['suspendedHeld', 'keyRotated', 'suspendedHeld'],
  ['suspendedHeld', 'passwordReset', 'suspendedHeld'],
  ['suspendedHeld', 'recoverySet', 'suspendedHeld'],
  ['suspendedHeld', 'restored', 'suspendedHeld'],
  ['deleted', 'purgeDecided', 'deleted'],
  ['deleted', 'deleted', 'deleted'],
  ['deleted', 'destroyed', 'destroyed'],
]

test('a mailbox changes as this table says, and in no other way', () => {
  const found = states.flatMap((from) =>
    changes.map((type) => [from, type, stateAfter(from, { type })]).filter(([, , to]) => to !== undefined),
  )
  assert.equal(found, moves)
})

const factOf: Readonly<Record<MailboxAction, MailboxChange['type']>> = {
  create: 'created',
  rename: 'renamed',
  changeAliases: 'aliasesChanged',
  suspend: 'suspended',
  resume: 'resumed',
  hold: 'held',
  release: 'released',
  limit: 'limited',
  setSenderPolicy: 'senderPolicySet',
  retain: 'retentionSet',
  changePassword: 'passwordChanged',
  recover: 'recovered',
  rotateKey: 'keyRotated',
  resetPassword: 'passwordReset',
  setRecovery: 'recoverySet',
  restore: 'restored',
  purge: 'purgeDecided',
  delete: 'deleted',
  destroy: 'destroyed',
  abandon: 'abandoned',
}

test('what may be done is what may have been done', () => {
  for (const state of states)
    for (const [action, type] of Object.entries(factOf) as [MailboxAction, MailboxChange['type']][])
      assert.is(mayDo(state, action), stateAfter(state, { type }) !== undefined, `${action} in ${state}`)
})

test.run()
