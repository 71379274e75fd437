import type { Client } from './client.ts'
import type { Command } from './command.ts'
import { messagePath, running } from './configured.ts'
import { facts, table, write, writeJson } from './output.ts'
import { pagesOf } from './pages.ts'

/** A message as the admin API shows it. */
export type MessageAnswer = {
  readonly messageId: string
  readonly mailboxId: string
  readonly size: number
  readonly wireSize: number
  readonly source: string
  readonly target: string | null
  readonly relay: string | null
  readonly sessionId: string
  readonly receivedAt: string
  readonly generation: number
  readonly sealedSize: number
  readonly sealedSha256: string
  readonly retrievals: number
  readonly lastRetrievedAt: string | null
  readonly state: string
  readonly deletedAt: string | null
  readonly purgedAt: string | null
}

export const messageShow: Command = {
  name: 'message show',
  summary: 'Show what is known of a message without opening it, and all that happened to it',
  operands: ['MESSAGE_ID'],
  options: {},
  run: async (given, io) => {
    const [id = ''] = given.operands
    const client = running(given, io)
    const message = await client.get<MessageAnswer>(messagePath(id))
    const timeline = await timelineOf(client, message.messageId)
    if (given.flag('json')) await writeJson(io.stdout, { ...message, timeline })
    else await write(io.stdout, `${factsOf(message)}\n${tableOf(timeline)}`)
    return undefined
  },
}

type Entry = {
  readonly recordedAt: string
  readonly what: string
  readonly principal: string
  readonly protocol: string | null
  readonly sessionId: string
}
type TimelinePage = { readonly timeline: readonly Entry[]; readonly next: string | null }

const timelineOf = async (client: Client, id: string): Promise<readonly Entry[]> => {
  const entries: Entry[] = []
  const pages = pagesOf<TimelinePage>(client, `${messagePath(id)}/timeline`)
  for await (const page of pages) entries.push(...page.timeline)
  return entries
}

const tableOf = (timeline: readonly Entry[]) =>
  table(
    ['WHEN', 'WHAT', 'BY', 'SESSION'],
    timeline.map(({ recordedAt, what, principal, protocol, sessionId }) => [
      recordedAt,
      what,
      protocol === null ? principal : `${principal} (${protocol})`,
      sessionId,
    ]),
  )

const factsOf = (message: MessageAnswer) =>
  facts([
    ['Message', message.messageId],
    ['Mailbox', message.mailboxId],
    ['State', message.state],
    ['Received', message.receivedAt],
    ['Source', message.source],
    ...(message.target === null ? [] : ([['Server', message.target]] as const)),
    ...(message.relay === null ? [] : ([['Relayed', message.relay]] as const)),
    ['Session', message.sessionId],
    ['Octets', String(message.size)],
    ['Octets over POP3', String(message.wireSize)],
    ['Octets sealed', String(message.sealedSize)],
    ['SHA-256 sealed', message.sealedSha256],
    ['Key generation', String(message.generation)],
    ['Retrievals', String(message.retrievals)],
    ['Last retrieved', message.lastRetrievedAt ?? '-'],
    ['Left the maildrop', message.deletedAt ?? '-'],
    ...(message.purgedAt === null ? [] : ([['Destroyed', message.purgedAt]] as const)),
  ])
