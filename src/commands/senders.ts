import type { Command } from './command.ts'
import { running } from './configured.ts'
import { facts, table, write, writeJson } from './output.ts'

type Sender = {
  readonly senderId: string
  readonly name: string | null
  readonly mailboxes: readonly string[] | null
}
type Issued = Sender & { readonly token: string }
type Listed = Sender & { readonly issuedAt: string; readonly lastUsed: string | null }

export const senderIssue: Command = {
  name: 'sender issue',
  summary: 'Issue a token with which a sender authenticates itself over SMTP; it is shown this once',
  operands: [],
  options: {
    name: { value: 'NAME', about: 'Who it is for' },
    mailbox: { value: 'ID', about: 'A mailbox that it may send to; without any, all', multiple: true },
  },
  run: async (given, io) => {
    const name = given.optional('name')
    const mailboxes = given.all('mailbox')
    const issued = await running(given, io).post<Issued>('/v1/senders', {
      ...(name !== undefined && { name }),
      ...(mailboxes.length > 0 && { mailboxes }),
    })
    if (given.flag('json')) await writeJson(io.stdout, issued)
    else await write(io.stdout, `${issuedText(issued)}\nKeep the token now: it is not stored anywhere.\n`)
    return undefined
  },
}

const issuedText = ({ senderId, mailboxes, token }: Issued) =>
  facts([
    ['User name', senderId],
    ['Token', token],
    ['Mailboxes', mailboxes?.join(' ') ?? 'all'],
  ])

export const senderList: Command = {
  name: 'sender list',
  summary: 'List those who send with a token of their own, but for the revoked ones',
  operands: [],
  options: {},
  run: async (given, io) => {
    const answer = await running(given, io).get<{ readonly senders: readonly Listed[] }>('/v1/senders')
    if (given.flag('json')) await writeJson(io.stdout, answer)
    else await write(io.stdout, answer.senders.length === 0 ? 'There is no sender.\n' : tableOf(answer.senders))
    return undefined
  },
}

const tableOf = (senders: readonly Listed[]) =>
  table(
    ['SENDER', 'ISSUED', 'LAST USED', 'MAILBOXES', 'NAME'],
    senders.map(({ senderId, issuedAt, lastUsed, mailboxes, name }) => [
      senderId,
      issuedAt,
      lastUsed ?? 'never',
      mailboxes === null ? 'all' : String(mailboxes.length),
      name ?? '',
    ]),
  )

export const senderRevoke: Command = {
  name: 'sender revoke',
  summary: "Revoke a sender's token",
  operands: ['SENDER'],
  options: {},
  run: async (given, io) => {
    const [senderId = ''] = given.operands
    await running(given, io).delete(`/v1/senders/${encodeURIComponent(senderId)}`)
    if (given.flag('json')) await writeJson(io.stdout, { senderId })
    else await write(io.stdout, `${senderId} is revoked.\n`)
    return undefined
  },
}
