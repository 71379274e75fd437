import { type MailboxChange, type MailboxState, mayDo, stateAfter } from '../../actors/mailbox.ts'
import { type ErrorCode, GatewayError } from '../core/errors.ts'
import type { EventData, EventType, Fact, Recorded } from '../core/events.ts'

export type MailboxCommand =
  | { readonly type: 'create'; readonly data: EventData['MailboxCreated'] }
  | { readonly type: 'rename'; readonly data: EventData['MailboxRenamed'] }
  | { readonly type: 'changeAliases'; readonly data: EventData['MailboxAliasesChanged'] }
  | { readonly type: 'suspend'; readonly data: EventData['MailboxSuspended'] }
  | { readonly type: 'resume'; readonly data: EventData['MailboxResumed'] }
  | { readonly type: 'hold'; readonly data: EventData['HoldPlaced'] }
  | { readonly type: 'release'; readonly data: EventData['HoldReleased'] }
  | { readonly type: 'limit'; readonly data: EventData['MailboxProxyLimited'] }
  | { readonly type: 'setSenderPolicy'; readonly data: EventData['MailboxSenderPolicySet'] }
  | { readonly type: 'retain'; readonly data: EventData['MailboxRetentionSet'] }
  | { readonly type: 'changePassword'; readonly data: EventData['MailboxPasswordChanged'] }
  | { readonly type: 'recover'; readonly data: EventData['MailboxRecovered'] }
  | { readonly type: 'rotateKey'; readonly data: EventData['MailboxKeyRotated'] }
  | { readonly type: 'resetPassword'; readonly data: EventData['MailboxPasswordReset'] }
  | { readonly type: 'setRecovery'; readonly data: EventData['MailboxRecoverySet'] }
  | { readonly type: 'restore'; readonly data: EventData['MessageRestored'] }
  | { readonly type: 'purge'; readonly data: EventData['PurgeDecided'] }
  | { readonly type: 'delete'; readonly data: EventData['MailboxDeleted'] }
  | { readonly type: 'destroy'; readonly data: EventData['MailboxDestroyed'] }
  | { readonly type: 'abandon'; readonly data: EventData['MailboxAbandoned'] }

export type Decision = { readonly facts: readonly Fact[] } | { readonly refusal: ErrorCode }

/** What a command makes of a mailbox in this state. */
export const decide = (command: MailboxCommand, state: MailboxState): Decision =>
  mayDo(state, command.type) ? { facts: [factOf(command)] } : { refusal: refusalOf(command.type, state) }

/** Throws the refusal of a command whose data costs something to make. */
export const mustAllow = (type: MailboxCommand['type'], state: MailboxState): void => {
  if (!mayDo(state, type)) throw new GatewayError(refusalOf(type, state))
}

const refusalOf = (type: MailboxCommand['type'], state: MailboxState): ErrorCode => {
  // Whoever wanted an address that was reserved for it has ended its creation.
  if (state === 'abandoned' && type === 'create') return 'alias-taken'
  if (state === 'absent' || state === 'abandoned') return 'mailbox-unknown'
  return isHeld(state) && isDestruction(type) ? 'mailbox-held' : 'mailbox-conflict'
}

const isHeld = (state: MailboxState) => state === 'activeHeld' || state === 'suspendedHeld'
/** What a hold forbids; said before anything else that stands in its way. */
const isDestruction = (type: MailboxCommand['type']) => type === 'purge' || type === 'delete'

const factOf = (command: MailboxCommand): Fact => {
  switch (command.type) {
    case 'create':
      return { type: 'MailboxCreated', data: command.data }
    case 'rename':
      return { type: 'MailboxRenamed', data: command.data }
    case 'changeAliases':
      return { type: 'MailboxAliasesChanged', data: command.data }
    case 'suspend':
      return { type: 'MailboxSuspended', data: command.data }
    case 'resume':
      return { type: 'MailboxResumed', data: command.data }
    case 'hold':
      return { type: 'HoldPlaced', data: command.data }
    case 'release':
      return { type: 'HoldReleased', data: command.data }
    case 'limit':
      return { type: 'MailboxProxyLimited', data: command.data }
    case 'setSenderPolicy':
      return { type: 'MailboxSenderPolicySet', data: command.data }
    case 'retain':
      return { type: 'MailboxRetentionSet', data: command.data }
    case 'changePassword':
      return { type: 'MailboxPasswordChanged', data: command.data }
    case 'recover':
      return { type: 'MailboxRecovered', data: command.data }
    case 'rotateKey':
      return { type: 'MailboxKeyRotated', data: command.data }
    case 'resetPassword':
      return { type: 'MailboxPasswordReset', data: command.data }
    case 'setRecovery':
      return { type: 'MailboxRecoverySet', data: command.data }
    case 'restore':
      return { type: 'MessageRestored', data: command.data }
    case 'purge':
      return { type: 'PurgeDecided', data: command.data }
    case 'delete':
      return { type: 'MailboxDeleted', data: command.data }
    case 'destroy':
      return { type: 'MailboxDestroyed', data: command.data }
    case 'abandon':
      return { type: 'MailboxAbandoned', data: command.data }
  }
}

/** The mailbox's state after one more event of its stream. Throws `event-unreadable` for an event that cannot follow. */
export const evolve = (state: MailboxState, { type, position }: Pick<Recorded, 'type' | 'position'>): MailboxState => {
  const change = changeIn[type]
  if (!change) return state
  const next = stateAfter(state, { type: change })
  if (next) return next
  throw new GatewayError('event-unreadable', { detail: `${type} at ${position} cannot follow: mailbox is ${state}` })
}

const changeIn: { readonly [T in EventType]?: MailboxChange['type'] } = {
  MailboxCreated: 'created',
  MailboxRenamed: 'renamed',
  MailboxAliasesChanged: 'aliasesChanged',
  MailboxSuspended: 'suspended',
  MailboxResumed: 'resumed',
  HoldPlaced: 'held',
  HoldReleased: 'released',
  MailboxProxyLimited: 'limited',
  MailboxSenderPolicySet: 'senderPolicySet',
  MailboxRetentionSet: 'retentionSet',
  MailboxPasswordChanged: 'passwordChanged',
  MailboxRecovered: 'recovered',
  MailboxKeyRotated: 'keyRotated',
  MailboxPasswordReset: 'passwordReset',
  MailboxRecoverySet: 'recoverySet',
  MessageRestored: 'restored',
  PurgeDecided: 'purgeDecided',
  MailboxDeleted: 'deleted',
  MailboxDestroyed: 'destroyed',
  MailboxAbandoned: 'abandoned',
}
