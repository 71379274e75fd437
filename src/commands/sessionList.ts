import type { Command } from './command.ts'
import { running } from './configured.ts'
import { table, write, writeJson } from './output.ts'
import { pageAsked, pageOptions } from './pages.ts'

export type SessionAnswer = {
  readonly sessionId: string
  readonly state: string
  readonly node: string
  readonly protocol: string | null
  readonly remoteAddress: string | null
  readonly mailboxId: string | null
  readonly openedAt: string | null
  readonly closedAt: string | null
  readonly outcome: string | null
  readonly octetsIn: number | null
  readonly octetsOut: number | null
}
type Page = { readonly sessions: readonly SessionAnswer[]; readonly next: string | null }

const filters = {
  state: { value: 'STATE', about: 'live or past' },
  mailbox: { value: 'ID', about: 'That a POP3 client logged in to: id, address or alias' },
  protocol: { value: 'PROTOCOL', about: 'Such as smtp, pop3s or smtp-proxy' },
  since: { value: 'TIME', about: 'Begun at or after a date, or date and time with zone (ISO 8601)' },
  until: { value: 'TIME', about: 'Begun at or before it' },
  order: { value: 'ORDER', about: 'oldest first, or newest' },
} as const

export const sessionList: Command = {
  name: 'session list',
  summary: 'List sessions, live and past',
  operands: [],
  options: { ...filters, ...pageOptions },
  run: async (given, io) => {
    const query = new URLSearchParams(pageAsked(given))
    for (const name of Object.keys(filters)) {
      const value = given.optional(name)
      if (value !== undefined) query.set(name, value)
    }
    const page = await running(given, io).get<Page>(`/v1/sessions?${query.toString()}`)
    if (given.flag('json')) await writeJson(io.stdout, page)
    else await write(io.stdout, tableOf(page))
    return undefined
  },
}

const tableOf = ({ sessions, next }: Page) => {
  const more = next === null ? '' : `\nThere are more: --after ${next}\n`
  if (sessions.length === 0) return `There is no session here.\n${more}`
  const rows = sessions.map((one) => [
    one.sessionId,
    one.protocol ?? '-',
    one.remoteAddress ?? '-',
    one.openedAt ?? '-',
    one.outcome ?? one.state,
    one.mailboxId ?? '',
  ])
  return `${table(['SESSION', 'PROTOCOL', 'PEER', 'BEGAN', 'END', 'MAILBOX'], rows)}${more}`
}
