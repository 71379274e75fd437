import type { Command } from './command.ts'
import { running } from './configured.ts'
import { facts, table, write, writeJson } from './output.ts'
import type { SessionAnswer } from './sessionList.ts'

type Step = { readonly at: number; readonly event: string; readonly state: string; readonly replies: readonly string[] }
type Answer = SessionAnswer & {
  readonly transcript: { readonly intact: boolean; readonly truncated: boolean; readonly steps: readonly Step[] } | null
}

export const sessionShow: Command = {
  name: 'session show',
  summary: 'Show a session, and once it has ended what was done in it',
  operands: ['SESSION_ID'],
  options: {},
  more: () => '"replay session" also compares it with what its machine does.\n',
  run: async (given, io) => {
    const [id = ''] = given.operands
    const session = await running(given, io).get<Answer>(`/v1/sessions/${encodeURIComponent(id)}`)
    if (given.flag('json')) await writeJson(io.stdout, session)
    else await write(io.stdout, told(session))
    return undefined
  },
}

const told = (session: Answer) => {
  const head = facts([
    ['Session', session.sessionId],
    ['Gateway', session.node],
    ['Peer', `${session.remoteAddress ?? '-'}, ${session.protocol ?? '-'}`],
    ['Mailbox', session.mailboxId ?? '-'],
    ['Began', session.openedAt ?? '-'],
    ['Ended', session.closedAt === null ? 'not yet' : `${session.closedAt}, ${session.outcome ?? '-'}`],
    ['Octets', session.octetsIn === null ? '-' : `${session.octetsIn} in, ${session.octetsOut ?? '-'} out`],
  ])
  const { transcript } = session
  if (!transcript) return head
  const rows = transcript.steps.map(({ at, event, state, replies }) => [
    String(at).padStart(8),
    event === '' ? '(begins)' : event,
    state,
    replies.join(' '),
  ])
  const warning = transcript.intact ? '' : '\nThe transcript is not the one that was recorded.\n'
  return `${head}\n${table(['      MS', 'THE MACHINE IS TOLD', 'STATE', 'REPLIES'], rows)}${warning}`
}
