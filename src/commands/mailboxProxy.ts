import type { Command } from './command.ts'
import { mailboxPath, running } from './configured.ts'
import type { MailboxAnswer } from './mailboxShow.ts'
import { write, writeJson } from './output.ts'

export const mailboxProxy: Command = {
  name: 'mailbox proxy',
  summary:
    "Say whom a mailbox's mail clients may reach through the proxy, and from where, in place of what was said before",
  operands: ['ID'],
  options: {
    target: {
      value: 'SERVER',
      about: 'A server such as pop.example.net:995; without any, all that are listed',
      multiple: true,
    },
    network: { value: 'NETWORK', about: 'Clients such as 192.0.2.0/24; without any, from everywhere', multiple: true },
  },
  run: async (given, io) => {
    const [id = ''] = given.operands
    const client = running(given, io)
    await client.put(`${mailboxPath(id)}/proxy`, { targets: given.all('target'), networks: given.all('network') })
    if (given.flag('json')) await writeJson(io.stdout, await client.get<MailboxAnswer>(mailboxPath(id)))
    else await write(io.stdout, `The limits of ${id} are changed.\n`)
    return undefined
  },
}
