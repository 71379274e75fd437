import { type Command, UsageError } from './command.ts'
import { running } from './configured.ts'
import type { MessageAnswer } from './messageShow.ts'
import { table, write, writeJson } from './output.ts'

type Page = { readonly messages: readonly MessageAnswer[]; readonly next: string | null }

export const messageList: Command = {
  name: 'message list',
  summary: "List a mailbox's messages, the oldest first",
  operands: [],
  options: {
    mailbox: { value: 'ID', about: 'Its id, address or alias', required: true },
    after: { value: 'CURSOR', about: 'The "next" of the page before' },
    limit: { value: 'N', about: 'At most so many, 1 to 1000; otherwise 100' },
  },
  run: async (given, io) => {
    const query = new URLSearchParams({ mailbox: given.text('mailbox') })
    const [after, limit] = [given.optional('after'), given.optional('limit')]
    if (after !== undefined) query.set('after', after)
    if (limit !== undefined) query.set('limit', limitOf(limit))
    const page = await running(given, io).get<Page>(`/v1/messages?${query.toString()}`)
    if (given.flag('json')) await writeJson(io.stdout, page)
    else await write(io.stdout, tableOf(page))
    return undefined
  },
}

const limitOf = (text: string) => {
  if (/^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= 1000) return text
  throw new UsageError('--limit must be a number from 1 to 1000')
}

const tableOf = ({ messages, next }: Page) => {
  if (messages.length === 0) return 'There is no message.\n'
  const rows = messages.map(({ messageId, receivedAt, size, retrievals, state }) => [
    messageId,
    receivedAt,
    String(size),
    String(retrievals),
    state,
  ])
  const more = next === null ? '' : `\nThere are more: --after ${next}\n`
  return `${table(['MESSAGE', 'RECEIVED', 'SIZE', 'RETRIEVALS', 'STATE'], rows)}${more}`
}
