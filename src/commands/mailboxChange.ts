import type { Client } from './client.ts'
import type { Command, Given, Io } from './command.ts'
import { mailboxPath, running } from './configured.ts'
import type { MailboxAnswer } from './mailboxShow.ts'
import { write, writeJson } from './output.ts'

/** A change that was made. */
type Done<Answer> = {
  readonly mailboxId: string
  /** Of the mailbox. */
  readonly path: string
  readonly answer: Answer
  readonly given: Given
  readonly client: Client
}

/** A command that changes one mailbox, by one call. */
export type MailboxChange<Answer = unknown> = Pick<Command, 'name' | 'summary' | 'options' | 'more'> & {
  readonly method: 'post' | 'put'
  /** Under the mailbox's own. */
  readonly path: string
  body(given: Given, io: Io): object | undefined
  /** For people. */
  told(done: Done<Answer>): string
  /** For `--json`. */
  shown(done: Done<Answer>): object | Promise<object>
}

export const changingMailbox = <Answer>(change: MailboxChange<Answer>): Command => {
  const { name, summary, options, more, method, body, told, shown } = change
  return {
    name,
    summary,
    operands: ['ID'],
    options,
    ...(more && { more }),
    run: async (given, io) => {
      const [id = ''] = given.operands
      const sent = body(given, io)
      const client = running(given, io)
      // Once it is renamed or has lost an alias, another name may be its own: the id is not.
      const { mailboxId } = await client.get<MailboxAnswer>(mailboxPath(id))
      const path = mailboxPath(mailboxId)
      const answer = await client[method]<Answer>(`${path}/${change.path}`, sent)
      const done = { mailboxId, path, answer, given, client }
      if (given.flag('json')) await writeJson(io.stdout, await shown(done))
      else await write(io.stdout, told(done))
      return undefined
    },
  }
}
