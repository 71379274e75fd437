import type { Command } from './command.ts'
import { running } from './configured.ts'
import type { MessageAnswer } from './messageShow.ts'
import { table, write, writeJson } from './output.ts'
import { pageAsked, pageOptions } from './pages.ts'

type Page = { readonly messages: readonly MessageAnswer[]; readonly next: string | null }

export const messageList: Command = {
  name: 'message list',
  summary: "List a mailbox's messages, the oldest first",
  operands: [],
  options: {
    mailbox: { value: 'ID', about: 'Its id, address or alias', required: true },
    ...pageOptions,
  },
  run: async (given, io) => {
    const query = new URLSearchParams({ mailbox: given.text('mailbox'), ...pageAsked(given) })
    const page = await running(given, io).get<Page>(`/v1/messages?${query.toString()}`)
    if (given.flag('json')) await writeJson(io.stdout, page)
    else await write(io.stdout, tableOf(page))
    return undefined
  },
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
