import type { Command } from './command.ts'
import { running } from './configured.ts'
import { facts, write, writeJson } from './output.ts'

type Created = { readonly mailboxId: string; readonly address: string; readonly password: string }

export const mailboxCreate: Command = {
  name: 'mailbox create',
  summary: 'Create a mailbox; its password is shown this once',
  operands: [],
  options: {
    name: { value: 'NAME', about: 'Whose mailbox it is', required: true },
    alias: { value: 'ADDRESS', about: 'A further address whose mail it receives', multiple: true },
    recovery: { value: 'AGE_RECIPIENT', about: 'Whose identity, kept elsewhere, opens its mail too (age1…)' },
  },
  run: async (given, io) => {
    const recovery = given.optional('recovery')
    const body = { name: given.text('name'), aliases: given.all('alias'), ...(recovery && { recovery }) }
    const created = await running(given, io).post<Created>('/v1/mailboxes', body)
    if (given.flag('json')) await writeJson(io.stdout, created)
    else await write(io.stdout, told(created))
    return undefined
  },
}

const told = ({ mailboxId, address, password }: Created) => `${facts([
  ['Mailbox', mailboxId],
  ['Address', address],
  ['Password', password],
])}
Keep the password now: it is not stored anywhere, and without it the mail cannot be read.
Send journal mail to the address; collect it over POP3 with the mailbox id and the password.
`
