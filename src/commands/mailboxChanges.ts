import { duration } from '../config/kinds.ts'
import { type Given, type Option, UsageError } from './command.ts'
import { changingMailbox, type MailboxChange } from './mailboxChange.ts'
import type { MailboxAnswer } from './mailboxShow.ts'

const reason: Option = { value: 'REASON', about: 'Why; it is kept in the event log', required: true }
const reasonIn = (given: Given) => ({ reason: given.text('reason') })

/** Prints the mailbox as it is then, or one line. */
const changing = (change: Omit<MailboxChange, 'told' | 'shown'> & { told(id: string, given: Given): string }) =>
  changingMailbox({
    ...change,
    told: ({ mailboxId, given }) => `${change.told(mailboxId, given)}\n`,
    shown: ({ client, path }) => client.get<MailboxAnswer>(path),
  })

export const mailboxRename = changing({
  name: 'mailbox rename',
  summary: 'Give a mailbox another name',
  options: { name: { value: 'NAME', about: 'Whose mailbox it is', required: true } },
  method: 'put',
  path: 'name',
  body: (given) => ({ name: given.text('name') }),
  told: (id, given) => `${id} is ${given.text('name')} now.`,
})

export const mailboxAlias = changing({
  name: 'mailbox alias',
  summary: 'Add and remove aliases of a mailbox',
  options: {
    add: { value: 'ADDRESS', about: 'Whose mail it shall receive too', multiple: true },
    remove: { value: 'ADDRESS', about: 'Whose mail it shall receive no longer', multiple: true },
  },
  method: 'post',
  path: 'aliases',
  body: (given) => {
    const [add, remove] = [given.all('add'), given.all('remove')]
    if (add.length + remove.length === 0) throw new UsageError('--add or --remove is missing')
    return { add, remove }
  },
  told: (id) => `The aliases of ${id} are changed.`,
})

export const mailboxSuspend = changing({
  name: 'mailbox suspend',
  summary: 'Suspend a mailbox: senders are asked to try again later, what is there can still be collected',
  options: { reason },
  method: 'post',
  path: 'suspend',
  body: reasonIn,
  told: (id) => `${id} is suspended.`,
})

export const mailboxResume = changing({
  name: 'mailbox resume',
  summary: 'Resume a suspended mailbox',
  options: {},
  method: 'post',
  path: 'resume',
  body: () => undefined,
  told: (id) => `${id} is active again.`,
})

export const mailboxHold = changing({
  name: 'mailbox hold',
  summary: 'Place a legal hold on a mailbox: nothing of it is destroyed while it stands',
  options: { reason },
  method: 'post',
  path: 'hold',
  body: reasonIn,
  told: (id) => `${id} is held.`,
})

export const mailboxRelease = changing({
  name: 'mailbox release',
  summary: 'Release the legal hold on a mailbox',
  options: { reason },
  method: 'post',
  path: 'release',
  body: reasonIn,
  told: (id) => `${id} is held no longer.`,
})

export const mailboxProxy = changing({
  name: 'mailbox proxy',
  summary:
    "Say whom a mailbox's mail clients may reach through the proxy, and from where, in place of what was said before",
  options: {
    target: {
      value: 'SERVER',
      about: 'A server such as pop.example.net:995; without any, all that are listed',
      multiple: true,
    },
    network: { value: 'NETWORK', about: 'Clients such as 192.0.2.0/24; without any, from everywhere', multiple: true },
  },
  method: 'put',
  path: 'proxy',
  body: (given) => ({ targets: given.all('target'), networks: given.all('network') }),
  told: (id) => `The limits of ${id} are changed.`,
})

export const mailboxSenderPolicy = changing({
  name: 'mailbox sender-policy',
  summary: 'Say from whom a mailbox takes mail, in place of what was said before; without any option, from everybody',
  options: {
    network: { value: 'NETWORK', about: 'Whence mail may come, such as 192.0.2.0/24', multiple: true },
    require: { value: 'WHAT', about: 'tls, certificate or token: what a sender must show', multiple: true },
    'certificate-name': {
      value: 'HOST',
      about: 'A host name: a client certificate for one of them is required',
      multiple: true,
    },
    refusal: { value: 'KIND', about: 'How others are refused: temporary (4xx, as without it) or permanent (5xx)' },
  },
  method: 'put',
  path: 'sender-policy',
  body: (given) => ({
    networks: given.all('network'),
    requires: given.all('require'),
    certificateNames: given.all('certificate-name'),
    refusal: given.optional('refusal') ?? 'temporary',
  }),
  told: (id) => `The sender policy of ${id} is changed.`,
})

export const mailboxDelete = changing({
  name: 'mailbox delete',
  summary: 'Delete a suspended mailbox, for good: its messages and identities are destroyed at once',
  options: { reason, force: { about: 'Even if it holds mail that nobody has collected' } },
  method: 'post',
  path: 'delete',
  body: (given) => ({ ...reasonIn(given), force: given.flag('force') }),
  told: (id) => `${id} is deleted.`,
})

const graces = duration(0, 3650 * 86_400)

export const mailboxRetention = changing({
  name: 'mailbox retention',
  summary: 'Say how long a message can be restored that was deleted over POP3, before it is destroyed',
  options: { grace: { value: 'TIME', about: 'Such as 30d; without it, as it is configured' } },
  method: 'put',
  path: 'retention',
  body: (given) => ({ grace: graceIn(given.optional('grace')) }),
  told: (id) => `The retention of ${id} is changed.`,
})

const graceIn = (text: string | undefined): number | null => {
  if (text === undefined) return null
  const grace = graces.read(/^\d+$/.test(text) ? Number(text) : text)
  if (grace === undefined) throw new UsageError(`--grace must be ${graces.expects}`)
  return grace
}
