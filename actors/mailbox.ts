import { setup, transition } from 'xstate'

export type MailboxState =
  'absent' | 'active' | 'activeHeld' | 'suspended' | 'suspendedHeld' | 'deleted' | 'destroyed' | 'abandoned'

/** What a mailbox is changed by, each of which is a fact afterwards. */
export type MailboxAction =
  | 'create'
  | 'rename'
  | 'changeAliases'
  | 'suspend'
  | 'resume'
  | 'hold'
  | 'release'
  | 'limit'
  | 'setSenderPolicy'
  | 'retain'
  | 'changePassword'
  | 'recover'
  | 'rotateKey'
  | 'resetPassword'
  | 'setRecovery'
  | 'restore'
  | 'purge'
  | 'delete'
  | 'destroy'
  | 'abandon'

/** A fact of the mailbox's life, as the machine takes it in. */
export type MailboxChange = {
  readonly type:
    | 'created'
    | 'renamed'
    | 'aliasesChanged'
    | 'suspended'
    | 'resumed'
    | 'held'
    | 'released'
    | 'limited'
    | 'senderPolicySet'
    | 'retentionSet'
    | 'passwordChanged'
    | 'recovered'
    | 'keyRotated'
    | 'passwordReset'
    | 'recoverySet'
    | 'restored'
    | 'purgeDecided'
    | 'deleted'
    | 'destroyed'
    | 'abandoned'
}

/** What may be done in any state of a mailbox that is not deleted, and leaves it in that state. */
const always = <S extends MailboxState>(state: S) => ({
  renamed: state,
  aliasesChanged: state,
  limited: state,
  senderPolicySet: state,
  retentionSet: state,
  passwordChanged: state,
  recovered: state,
  keyRotated: state,
  passwordReset: state,
  recoverySet: state,
  restored: state,
})

/** A mailbox's life. Never started: its moves are looked up, the state is folded from the log. */
export const mailbox = setup({
  types: { events: {} as MailboxChange },
}).createMachine({
  id: 'mailbox',
  initial: 'absent',
  states: {
    absent: { on: { created: 'active', abandoned: 'abandoned' } },
    active: {
      on: { ...always('active'), purgeDecided: 'active', suspended: 'suspended', held: 'activeHeld' },
      description: 'Takes mail in and hands it out',
    },
    activeHeld: {
      on: { ...always('activeHeld'), suspended: 'suspendedHeld', released: 'active' },
      description: 'The same, and nothing of it is destroyed',
    },
    suspended: {
      on: {
        ...always('suspended'),
        purgeDecided: 'suspended',
        resumed: 'active',
        held: 'suspendedHeld',
        deleted: 'deleted',
      },
      description: 'Mail for it is put off with a 4xx',
    },
    suspendedHeld: {
      on: { ...always('suspendedHeld'), resumed: 'activeHeld', released: 'suspended' },
      description: 'The same, and nothing of it is destroyed',
    },
    deleted: {
      // Again, for mail that was on its way when it was deleted.
      on: { purgeDecided: 'deleted', deleted: 'deleted', destroyed: 'destroyed' },
      description: 'Nobody sends to it or collects from it; its messages are being destroyed',
    },
    destroyed: { description: 'Its messages and its identities are no more' },
    abandoned: { description: 'Its creation did not come to its end, and never will' },
  },
})

const changeBy: Readonly<Record<MailboxAction, MailboxChange>> = {
  create: { type: 'created' },
  rename: { type: 'renamed' },
  changeAliases: { type: 'aliasesChanged' },
  suspend: { type: 'suspended' },
  resume: { type: 'resumed' },
  hold: { type: 'held' },
  release: { type: 'released' },
  limit: { type: 'limited' },
  setSenderPolicy: { type: 'senderPolicySet' },
  retain: { type: 'retentionSet' },
  changePassword: { type: 'passwordChanged' },
  recover: { type: 'recovered' },
  rotateKey: { type: 'keyRotated' },
  resetPassword: { type: 'passwordReset' },
  setRecovery: { type: 'recoverySet' },
  restore: { type: 'restored' },
  purge: { type: 'purgeDecided' },
  delete: { type: 'deleted' },
  destroy: { type: 'destroyed' },
  abandon: { type: 'abandoned' },
}

const snapshotIn = (state: MailboxState) => mailbox.resolveState({ value: state })

/** Whether this may be done to a mailbox in this state. */
export const mayDo = (state: MailboxState, action: MailboxAction): boolean => snapshotIn(state).can(changeBy[action])

/** The state after a change; undefined when a mailbox in this state cannot change so. */
export const stateAfter = (state: MailboxState, change: MailboxChange): MailboxState | undefined => {
  const before = snapshotIn(state)
  if (!before.can(change)) return undefined
  return transition(mailbox, before, change)[0].value
}
