import type { Command } from './command.ts'
import { running } from './configured.ts'
import type { MailboxAnswer } from './mailboxShow.ts'
import { table, write, writeJson } from './output.ts'

type Page = { readonly mailboxes: readonly MailboxAnswer[]; readonly next: string | null }

export const mailboxList: Command = {
  name: 'mailbox list',
  summary: 'List all mailboxes',
  operands: [],
  options: {},
  run: async (given, io) => {
    const client = running(given, io)
    const mailboxes: MailboxAnswer[] = []
    let next: string | null = null
    do {
      const after: string = next === null ? '' : `&after=${encodeURIComponent(next)}`
      const page: Page = await client.get<Page>(`/v1/mailboxes?limit=1000${after}`)
      mailboxes.push(...page.mailboxes)
      next = page.next
    } while (next !== null)
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
