import type { SmtpEvent } from '../../actors/smtpSetup.ts'
import type { Logger } from '../core/ports.ts'
import type { PutOff } from '../core/putOff.ts'
import type { BdatCommand, Command } from './commandLine.ts'
import { findRecipient, type Mailbox, type RecipientFound, type Recipients } from './recipient.ts'
import type { Asked } from './sender.ts'

export type CommandContext = {
  readonly recipients: Recipients
  readonly logger: Logger
  readonly sessionId: string
  /** Whether a recipient may come now: one that is refused anyway is not looked for at length. */
  readonly awaitsRecipient: boolean
  /** Why no message of this size may begin now. */
  readonly putOff: (size: number) => PutOff | undefined
  /** What a mailbox asks of the peer, and what he has shown. */
  readonly asked: (mailbox: Mailbox) => Asked
}

/** All but BDAT, of which the octets come after its line. */
export type LineCommand = Exclude<Command, BdatCommand>

export type CommandEvent = { readonly event: SmtpEvent; readonly mailbox?: Mailbox | undefined }

/**
 * A command as the machine takes it, and the mailbox that a RCPT means: addresses and names stay behind. A promise, which
 * never rejects, where the answer has to be asked for.
 */
export const eventOf = (command: LineCommand, context: CommandContext): CommandEvent | Promise<CommandEvent> => {
  const asked = eventNow(command, context)
  const { current } = context.recipients
  if (current === undefined || asked.event.type !== 'rcpt' || !context.awaitsRecipient) return asked
  if (!knowsNone.has(asked.event.found.is)) return asked
  return current().then(
    () => eventNow(command, context),
    (error: unknown) => {
      context.logger.error({ err: error, sessionId: context.sessionId }, 'a recipient could not be looked up')
      return eventNow(command, context, { found: { is: 'unavailable' }, mailbox: undefined })
    },
  )
}

/** What a gateway answers that has no such mailbox. */
const knowsNone: ReadonlySet<RecipientFound['found']['is']> = new Set(['unknown', 'relay', 'noPostmaster'])

type Looked = RecipientFound & { readonly asked?: Asked }

const eventNow = (command: LineCommand, context: CommandContext, known?: Looked): CommandEvent => {
  switch (command.verb) {
    case 'hello':
      return { event: { type: 'hello', extended: command.extended } }
    case 'mail':
      return {
        event: {
          type: 'mail',
          size: command.size,
          smtpUtf8: command.smtpUtf8,
          putOff: context.putOff(command.size),
        },
      }
    case 'rcpt': {
      const { found, mailbox, asked } = known ?? find(command.forwardPath, context)
      return { event: { type: 'rcpt', found, ascii: command.ascii, ...asked }, mailbox }
    }
    case 'malformed':
      return { event: { type: 'malformed', problem: command.problem } }
    case 'auth':
      return { event: { type: 'auth', found: 'unread' } }
    default:
      return { event: { type: command.verb } }
  }
}

const find = (
  path: Parameters<typeof findRecipient>[1],
  { recipients, logger, sessionId, asked }: CommandContext,
): Looked => {
  try {
    const looked = findRecipient(recipients, path)
    return looked.mailbox ? { ...looked, asked: asked(looked.mailbox) } : looked
  } catch (error) {
    logger.error({ err: error, sessionId }, 'a recipient could not be looked up')
    return { found: { is: 'unavailable' }, mailbox: undefined }
  }
}
