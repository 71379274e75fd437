import type { Recorded } from '../core/events.ts'
import { isSessionId, type SessionId } from '../core/ids.ts'
import { sessionStream } from '../core/streams.ts'
import type { SessionReplay } from '../replaySession.ts'
import { type Command, dataOption, type Given, type Io, UsageError } from './command.ts'
import { running } from './configured.ts'
import { onData } from './offlineData.ts'
import { facts, table, write, writeJson } from './output.ts'
import { pagesOf } from './pages.ts'

export const replaySession: Command = {
  name: 'replay session',
  summary: 'Run a recorded session through its machine again and compare',
  operands: ['SESSION_ID'],
  options: { data: dataOption },
  more: () => 'Exit code 1 unless the session is consistent with its record.\n',
  run: async (given, io) => {
    const sessionId = sessionIdIn(given)
    const events = await eventsOf(sessionId, given, io)
    // Loaded only here: no other command needs the machines.
    const { replaySession } = await import('../replaySession.ts')
    const replay = replaySession(sessionId, events)
    if (given.flag('json')) await writeJson(io.stdout, replay)
    else await write(io.stdout, told(replay))
    return replay.verdict === 'consistent' ? 0 : 1
  },
}

const sessionIdIn = ({ operands: [text = ''] }: Given): SessionId => {
  if (isSessionId(text)) return text
  throw new UsageError(`"${text}" is not a session id`)
}

type Page = { readonly events: readonly Recorded[]; readonly next: string | null }

const eventsOf = async (sessionId: SessionId, given: Given, io: Io): Promise<readonly Recorded[]> => {
  const data = given.optional('data')
  const events: Recorded[] = []
  if (data !== undefined) {
    await onData(given, io, async (offline) => {
      events.push(...(await offline.session(sessionId)))
    })
    return events
  }
  const pages = pagesOf<Page>(running(given, io), '/v1/events', { stream: sessionStream(sessionId) })
  for await (const page of pages) events.push(...page.events)
  return events
}

const told = (replay: SessionReplay) => `${headOf(replay)}\n${conversationOf(replay)}${verdictOf(replay)}`

const headOf = ({ sessionId, opened, closed, machine }: SessionReplay) =>
  facts([
    ['Session', sessionId],
    ['Peer', opened ? `${opened.remoteAddress}, ${opened.protocol}` : '-'],
    ['TLS', opened?.tls ? `${opened.tls.version}, ${opened.tls.cipher}` : '-'],
    ['First recorded', opened?.at ?? '-'],
    ['Ended', `${closed.at}, ${closed.outcome}`],
    ['Machine', machine ? `${machine.name}, version ${machine.version}` : '-'],
  ])

/** All that was recorded, or up to the step at which the machine differs. */
const conversationOf = ({ steps, difference }: SessionReplay) => {
  if (steps.length === 0) return ''
  const shown = difference ? steps.slice(0, difference.step + 1) : steps
  const rows = shown.map(({ at, event, state, replies }) => [
    String(at).padStart(8),
    event === '' ? '(begins)' : event,
    state,
    replies.join(' '),
  ])
  return `${table(['      MS', 'THE MACHINE IS TOLD', 'STATE', 'REPLIES'], rows)}\n`
}

const verdictOf = ({ verdict, because }: SessionReplay) => `${verdict.replaceAll('-', ' ')}: ${because}.\n`
