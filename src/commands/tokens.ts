import type { Command, Option } from './command.ts'
import { running } from './configured.ts'
import { secondsIn } from './duration.ts'
import { facts, table, write, writeJson } from './output.ts'

type Token = {
  readonly tokenId: string
  readonly name: string | null
  readonly role: string
  readonly mailboxes: readonly string[] | null
  readonly expires: string | null
}
type Issued = Token & { readonly token: string }
type Listed = Token & { readonly lastUsed: string | null }

export const role: Option = { value: 'ROLE', about: 'admin, operator or auditor' }

export const tokenIssue: Command = {
  name: 'token issue',
  summary: 'Issue a token for a program; it is shown this once',
  operands: [],
  options: {
    role: { ...role, required: true },
    name: { value: 'NAME', about: 'What it is for' },
    mailbox: { value: 'ID', about: 'A mailbox that it may know of; without any, all', multiple: true },
    expires: { value: 'TIME', about: 'When it ends, such as 30d or 12h; without it, never' },
  },
  run: async (given, io) => {
    const [name, expires] = [given.optional('name'), given.optional('expires')]
    const mailboxes = given.all('mailbox')
    const issued = await running(given, io).post<Issued>('/v1/tokens', {
      role: given.text('role'),
      ...(name !== undefined && { name }),
      ...(mailboxes.length > 0 && { mailboxes }),
      ...(expires !== undefined && { expires: secondsIn('expires', expires) }),
    })
    if (given.flag('json')) await writeJson(io.stdout, issued)
    else await write(io.stdout, `${issuedText(issued)}\nKeep the token now: it is not stored anywhere.\n`)
    return undefined
  },
}

const issuedText = ({ tokenId, role, mailboxes, expires, token }: Issued) =>
  facts([
    ['Id', tokenId],
    ['Role', role],
    ['Mailboxes', mailboxes?.join(' ') ?? 'all'],
    ['Expires', expires ?? 'never'],
    ['Token', token],
  ])

export const tokenList: Command = {
  name: 'token list',
  summary: 'List the tokens that were not revoked',
  operands: [],
  options: {},
  run: async (given, io) => {
    const answer = await running(given, io).get<{ readonly tokens: readonly Listed[] }>('/v1/tokens')
    if (given.flag('json')) await writeJson(io.stdout, answer)
    else await write(io.stdout, answer.tokens.length === 0 ? 'There is no token.\n' : tableOf(answer.tokens))
    return undefined
  },
}

const tableOf = (tokens: readonly Listed[]) =>
  table(
    ['TOKEN', 'ROLE', 'EXPIRES', 'LAST USED', 'MAILBOXES', 'NAME'],
    tokens.map(({ tokenId, role, expires, lastUsed, mailboxes, name }) => [
      tokenId,
      role,
      expires ?? 'never',
      lastUsed ?? 'never',
      mailboxes === null ? 'all' : String(mailboxes.length),
      name ?? '',
    ]),
  )

export const tokenRevoke: Command = {
  name: 'token revoke',
  summary: 'Revoke a token',
  operands: ['TOKEN'],
  options: {},
  run: async (given, io) => {
    const [tokenId = ''] = given.operands
    await running(given, io).delete(`/v1/tokens/${encodeURIComponent(tokenId)}`)
    if (given.flag('json')) await writeJson(io.stdout, { tokenId })
    else await write(io.stdout, `${tokenId} is revoked.\n`)
    return undefined
  },
}
