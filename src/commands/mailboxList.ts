import type { Command } from './command.ts'
import { running } from './configured.ts'
import type { MailboxAnswer } from './mailboxShow.ts'
import { table, write, writeJson } from './output.ts'
import { pagesOf } from './pages.ts'

type Page = { readonly mailboxes: readonly MailboxAnswer[]; readonly next: string | null }

export const mailboxList: Command = {
  name: 'mailbox list',
  summary: 'List all mailboxes',
  operands: [],
  options: {},
  run: async (given, io) => {
    const mailboxes: MailboxAnswer[] = []
    for await (const page of pagesOf<Page>(running(given, io), '/v1/mailboxes')) mailboxes.push(...page.mailboxes)
    if (given.flag('json')) await writeJson(io.stdout, { mailboxes })
    else await write(io.stdout, mailboxes.length === 0 ? 'There is no mailbox.\n' : tableOf(mailboxes))
    return undefined
  },
}

const tableOf = (mailboxes: readonly MailboxAnswer[]) =>
  table(
    ['MAILBOX', 'NAME', 'STATE', 'MESSAGES', 'ALIASES'],
    mailboxes.map(({ mailboxId, name, state, messages, aliases }) => [
      mailboxId,
      name,
      state,
      messages === null ? '…' : String(messages),
      aliases.join(' '),
    ]),
  )
