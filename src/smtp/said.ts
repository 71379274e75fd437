import type { Command } from './commandLine.ts'
import type { Mailbox } from './recipient.ts'
import type { SubmittedCommand } from './submittedCommand.ts'

/** What a peer said that the machine does not need to know: kept beside it. */
export type Said = {
  readonly helloName: string
  readonly extended: boolean
  readonly reversePath: string
  readonly smtpUtf8: boolean
  /** As typed, one for each accepted RCPT. */
  readonly recipients: readonly string[]
  readonly mailbox: Mailbox | undefined
}

const noTransaction = { reversePath: '', smtpUtf8: false, recipients: [], mailbox: undefined }

export const silence: Said = { helloName: 'unknown', extended: false, ...noTransaction }

/** What is known after a command that the machine accepted; `mailbox` is whom the last RCPT meant. */
export const keptOf = (said: Said, command: Command | SubmittedCommand, mailbox: Mailbox | undefined): Said => {
  switch (command.verb) {
    case 'hello':
      return { ...noTransaction, helloName: command.name, extended: command.extended }
    case 'mail':
      return { ...said, ...noTransaction, reversePath: command.reversePath, smtpUtf8: command.smtpUtf8 }
    case 'rcpt':
      return { ...said, recipients: [...said.recipients, command.typed], mailbox: said.mailbox ?? mailbox }
    default:
      return said
  }
}
