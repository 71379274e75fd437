import { setup, transition } from 'xstate'

export type MailboxState = 'absent' | 'active' | 'suspended'

/** A fact of the mailbox's life, as the machine takes it in. */
export type MailboxChange = { readonly type: 'created' | 'suspended' | 'resumed' | 'limited' }

export type MailboxAction = 'create' | 'suspend' | 'resume' | 'limit'

/** A mailbox's life. Never started: its moves are looked up, the state is folded from the log. */
export const mailbox = setup({
  types: { events: {} as MailboxChange },
}).createMachine({
  id: 'mailbox',
  initial: 'absent',
  states: {
    absent: { on: { created: 'active' } },
    active: { on: { suspended: 'suspended', limited: 'active' }, description: 'Takes mail in and hands it out' },
    suspended: { on: { resumed: 'active', limited: 'suspended' }, description: 'Mail for it is put off with a 4xx' },
  },
})

const changeBy: Readonly<Record<MailboxAction, MailboxChange>> = {
  create: { type: 'created' },
  suspend: { type: 'suspended' },
  resume: { type: 'resumed' },
  limit: { type: 'limited' },
}

const snapshotIn = (state: MailboxState) => mailbox.resolveState({ value: state })

/** Whether a mailbox in this state may be created, suspended, resumed, limited. */
export const mayDo = (state: MailboxState, action: MailboxAction): boolean => snapshotIn(state).can(changeBy[action])

/** The state after a change; undefined when a mailbox in this state cannot change so. */
export const stateAfter = (state: MailboxState, change: MailboxChange): MailboxState | undefined => {
  const before = snapshotIn(state)
  if (!before.can(change)) return undefined
  return transition(mailbox, before, change)[0].value
}
