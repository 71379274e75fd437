import type { MessageRef, Pop3Event } from '../../actors/pop3Replies.ts'
import type { Pop3Command } from './commands.ts'
import type { CredentialsHolder } from './credentials.ts'

export type CommandContext = {
  readonly credentials: CredentialsHolder
  /** The message of that number in the session's maildrop, if there is one. */
  readonly refOf: (number: number) => MessageRef | undefined
}

/** A command as the machine takes it: numbers become messages, credentials stay behind. */
export const eventOf = (command: Pop3Command, { credentials, refOf }: CommandContext): Pop3Event => {
  switch (command.verb) {
    case 'user':
      return { type: 'user', found: credentials.user(command.argument) }
    case 'pass':
      return { type: 'pass', found: credentials.pass(command.argument) }
    case 'auth':
      return { type: 'auth', found: credentials.auth(command.argument) }
    case 'list':
      return command.number === undefined ? { type: 'list' } : { type: 'listOne', message: refOf(command.number) }
    case 'uidl':
      return command.number === undefined ? { type: 'uidl' } : { type: 'uidlOne', message: refOf(command.number) }
    case 'retr':
    case 'dele':
      return { type: command.verb, message: refOf(command.number) }
    case 'top':
      return { type: 'top', message: refOf(command.number), lines: command.lines }
    case 'malformed':
      return { type: 'malformed', syntax: command.syntax }
    default:
      return { type: command.verb }
  }
}
