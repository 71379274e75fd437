import { type Given, type Io, type Option, UsageError } from './command.ts'
import { changingMailbox, type MailboxChange } from './mailboxChange.ts'
import { facts } from './output.ts'
import { passwordIn, secretIn } from './passwordFile.ts'

/** What the admin API answers to a change of a mailbox's keys. */
type Changed = {
  readonly generations: readonly number[]
  /** Null when it could not be counted. */
  readonly shut: { readonly messages: number; readonly inMaildrop: number } | null
  /** If it was generated. */
  readonly password?: string
  readonly recipient?: string
}

const passwordFile: Option = {
  value: 'FILE',
  about: "Holds the mailbox's password; - for standard input",
  required: true,
}
const newPasswordFile: Option = {
  value: 'FILE',
  about:
    'Holds the new password, 12 to 128 printable ASCII characters; without it one is generated and shown this once',
}

/** Prints what the change answers. */
const changing = (
  change: Omit<MailboxChange<Changed>, 'told' | 'shown'> & { told(id: string, changed: Changed): string },
) =>
  changingMailbox<Changed>({
    ...change,
    told: ({ mailboxId, answer }) => `${change.told(mailboxId, answer)}\n${tellPassword(answer)}${tellShut(answer)}`,
    shown: ({ answer }) => answer,
  })

const tellPassword = ({ password }: Changed) =>
  password === undefined
    ? ''
    : `${facts([['Password', password]])}Keep the password now: it is not stored anywhere, and without it the mail cannot be read.\n`

const tellShut = ({ shut }: Changed) => {
  if (!shut) return 'How many messages it does not open could not be counted.\n'
  const { messages, inMaildrop } = shut
  return messages === 0 ? '' : `Messages that it does not open: ${messages}, ${inMaildrop} of them in the maildrop.\n`
}

const wantedIn = (given: Given, io: Io) => {
  const file = given.optional('new-password-file')
  return file === undefined ? {} : { newPassword: passwordIn(file, io.cwd).reveal() }
}

export const mailboxPassword = changing({
  name: 'mailbox password',
  summary: 'Change the password of a mailbox; the old one opens nothing any more',
  options: {
    'old-password-file': { value: 'FILE', about: 'Holds the password until now; - for standard input', required: true },
    'new-password-file': newPasswordFile,
  },
  method: 'post',
  path: 'password',
  body: (given, io) => ({
    oldPassword: passwordIn(given.text('old-password-file'), io.cwd).reveal(),
    ...wantedIn(given, io),
  }),
  told: (id) => `The password of ${id} is changed.`,
})

export const mailboxRotateKey = changing({
  name: 'mailbox rotate-key',
  summary: 'Seal new mail under a new key; the password stays',
  options: { 'password-file': passwordFile },
  method: 'post',
  path: 'rotate-key',
  body: (given, io) => ({ password: passwordIn(given.text('password-file'), io.cwd).reveal() }),
  told: (id, { recipient = '' }) => `New mail of ${id} is sealed to ${recipient}.`,
})

export const mailboxResetPassword = changing({
  name: 'mailbox reset-password',
  summary:
    'Seal new mail under a new key with a new password, without the old one, which goes on to open the older mail',
  options: { 'new-password-file': newPasswordFile },
  method: 'post',
  path: 'reset-password',
  body: wantedIn,
  told: (id) => `The password of ${id} is reset, for new mail.`,
})

export const mailboxRecovery = changing({
  name: 'mailbox recovery',
  summary: 'Say whose identity opens the mail of a mailbox too',
  options: {
    'password-file': passwordFile,
    recipient: { value: 'AGE_RECIPIENT', about: 'As age-keygen prints it (age1…)' },
    none: { about: "Nobody's" },
  },
  method: 'put',
  path: 'recovery',
  body: (given, io) => {
    const recipient = given.optional('recipient')
    if ((recipient === undefined) !== given.flag('none')) throw new UsageError('--recipient or --none is missing')
    return { password: passwordIn(given.text('password-file'), io.cwd).reveal(), recipient: recipient ?? null }
  },
  told: (id) => `Who can recover ${id} is changed.`,
})

export const mailboxRecover = changing({
  name: 'mailbox recover',
  summary: 'Give a mailbox whose password is lost a new one, by the recovery identity',
  options: {
    'identity-file': {
      value: 'FILE',
      about: 'The age identity in the clear, of the recovery recipient or of the mailbox itself; - for standard input',
      required: true,
    },
    'new-password-file': newPasswordFile,
  },
  method: 'post',
  path: 'recover',
  body: (given, io) => ({
    identity: secretIn(given.text('identity-file'), io.cwd, 'identity'),
    ...wantedIn(given, io),
  }),
  told: (id) => `${id} is recovered.`,
})
