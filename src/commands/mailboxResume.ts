import type { Command } from './command.ts'
import { mailboxPath, running } from './configured.ts'
import type { MailboxAnswer } from './mailboxShow.ts'
import { write, writeJson } from './output.ts'

export const mailboxResume: Command = {
  name: 'mailbox resume',
  summary: 'Resume a suspended mailbox',
  operands: ['ID'],
  options: {},
  run: async (given, io) => {
    const [id = ''] = given.operands
    const client = running(given, io)
    await client.post(`${mailboxPath(id)}/resume`)
    if (given.flag('json')) await writeJson(io.stdout, await client.get<MailboxAnswer>(mailboxPath(id)))
    else await write(io.stdout, `${id} is active again.\n`)
    return undefined
  },
}
