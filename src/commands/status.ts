import type { Command, Given } from './command.ts'
import { running } from './configured.ts'
import { facts, write, writeJson } from './output.ts'

type Status = {
  readonly version: string
  readonly views: {
    readonly state: string
    readonly position: string | null
    readonly reason: string | null
    readonly event: { readonly position: string; readonly stream: string; readonly type: string } | null
    readonly progress: { readonly folded: number; readonly total: number | null; readonly perSecond: number } | null
    readonly mailboxesKnown: boolean
  }
}

export const status: Command = {
  name: 'status',
  summary: 'Show how the running gateway is: whether its views follow the log, and if not, why',
  operands: [],
  options: {},
  more: () => 'Exit code 1 when the views neither follow the log nor will by themselves.\n',
  run: async (given: Given, io) => {
    const answer = await running(given, io).get<Status>('/v1/status')
    if (given.flag('json')) await writeJson(io.stdout, answer)
    else await write(io.stdout, factsOf(answer))
    return answer.views.state === 'stopped' ? 1 : 0
  },
}

const factsOf = ({ version, views: { state, position, reason, event, progress, mailboxesKnown } }: Status) =>
  facts([
    ['Version', version],
    ['Views', state],
    ['Position', position ?? 'before the first event'],
    ...(progress
      ? [['Built', `${progress.folded} of ${progress.total ?? '?'} events, ${progress.perSecond}/s`] as const]
      : []),
    ...(event ? [['Stopped at', `position ${event.position}: ${event.type} of ${event.stream}`] as const] : []),
    ...(reason === null ? [] : [['Reason', reason] as const]),
    [
      'Mail is received',
      mailboxesKnown ? 'for every mailbox' : 'for known mailboxes, until the views are behind for limits.logLag',
    ],
  ])
