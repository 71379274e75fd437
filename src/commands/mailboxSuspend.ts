import type { Command } from './command.ts'
import { mailboxPath, running } from './configured.ts'
import type { MailboxAnswer } from './mailboxShow.ts'
import { write, writeJson } from './output.ts'

export const mailboxSuspend: Command = {
  name: 'mailbox suspend',
  summary: 'Suspend a mailbox: senders are asked to try again later, POP3 is refused',
  operands: ['ID'],
  options: { reason: { value: 'REASON', about: 'Why; it is kept in the event log', required: true } },
  run: async (given, io) => {
    const [id = ''] = given.operands
    const client = running(given, io)
    await client.post(`${mailboxPath(id)}/suspend`, { reason: given.text('reason') })
    if (given.flag('json')) await writeJson(io.stdout, await client.get<MailboxAnswer>(mailboxPath(id)))
    else await write(io.stdout, `${id} is suspended.\n`)
    return undefined
  },
}
