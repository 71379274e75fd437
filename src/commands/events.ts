import {
  type EventFilter,
  isCorrelation,
  isEventType,
  isPast,
  isPrincipal,
  isStreamName,
  matches,
  timeOf,
} from '../core/eventFilter.ts'
import type { Recorded } from '../core/events.ts'
import type { Client } from './client.ts'
import { type Command, dataOption, type Given, type Io, UsageError } from './command.ts'
import { connecting, running } from './configured.ts'
import { followed } from './followEvents.ts'
import { onData } from './offlineData.ts'
import { writeJson } from './output.ts'
import { pagesOf } from './pages.ts'

const time = 'a date, or a date and time with zone (ISO 8601)'

export const events: Command = {
  name: 'events',
  summary: 'Print the event log, one JSON object a line',
  operands: [],
  options: {
    stream: { value: 'STREAM', about: 'Only of this stream, such as mailbox-mbx-…' },
    type: { value: 'TYPE', about: 'Only of this type, such as MessageReceived' },
    principal: {
      value: 'WHO',
      about: 'Only caused by: peer:<address>, administrator:<name>, token:<id>, local:<user> or system',
    },
    correlation: { value: 'ID', about: 'Only of this session or request' },
    since: { value: 'TIME', about: `Recorded at or after ${time}` },
    until: { value: 'TIME', about: `The log as of ${time}` },
    follow: { about: 'Go on with what comes, until it is interrupted' },
    data: dataOption,
  },
  more: () =>
    'With --follow a connection that breaks is made again, and no event is missing or comes twice. What comes is printed without\n' +
    'the transcript of a session that ends: "session show" prints it.\n',
  run: async (given, io) => {
    const filter = filterOf(given)
    const print = async (found: AsyncIterable<Recorded>) => {
      for await (const event of found) await writeJson(io.stdout, event)
    }
    const data = given.optional('data')
    if (given.flag('follow')) await print(following(given, io, filter))
    else if (data === undefined) await print(online(running(given, io), given))
    else await onData(given, io, (offline) => print(filtered(offline.events(), filter)))
    return undefined
  },
}

const filterNames = ['stream', 'type', 'principal', 'correlation', 'since', 'until'] as const

const filterOf = (given: Given): EventFilter => ({
  stream: read(given, 'stream', (text) => (isStreamName(text) ? text : undefined)),
  type: read(given, 'type', (text) => (isEventType(text) ? text : undefined)),
  principal: read(given, 'principal', (text) => (isPrincipal(text) ? text : undefined)),
  correlation: read(given, 'correlation', (text) => (isCorrelation(text) ? text : undefined)),
  since: read(given, 'since', timeOf),
  until: read(given, 'until', timeOf),
})

const read = <T>(given: Given, name: string, of: (text: string) => T | undefined): T | undefined => {
  const text = given.optional(name)
  const value = text === undefined ? undefined : of(text)
  if (text !== undefined && value === undefined) throw new UsageError(`--${name} cannot be "${text}"`)
  return value
}

type Page = { readonly events: readonly Recorded[]; readonly next: string | null }

async function* online(client: Client, given: Given): AsyncGenerator<Recorded> {
  const wanted = filterNames.map((name) => [name, given.optional(name)] as const)
  const filters = Object.fromEntries(wanted.filter(([, value]) => value !== undefined)) as Record<string, string>
  for await (const { events } of pagesOf<Page>(client, '/v1/events', filters)) yield* events
}

async function* following(given: Given, io: Io, filter: EventFilter): AsyncGenerator<Recorded> {
  for (const option of ['data', 'until'])
    if (given.optional(option) !== undefined) throw new UsageError(`--${option} has an end: leave --follow out`)
  const wanted = filterNames.flatMap((name) => (name === 'since' ? [] : [[name, given.optional(name) ?? ''] as const]))
  const query = new URLSearchParams(wanted.filter(([, value]) => value !== '').map((pair) => [...pair]))
  const all = followed({
    connect: connecting(given, io),
    past: (client) => online(client, given),
    query: query.size === 0 ? '' : `?${query.toString()}`,
    onLost: ({ message }) => io.stderr.write(`sealpost: ${message} Trying again.\n`),
  })
  for await (const event of all) if (matches(filter, event)) yield event
}

async function* filtered(all: AsyncIterable<Recorded>, filter: EventFilter): AsyncGenerator<Recorded> {
  for await (const event of all) {
    if (isPast(filter, event)) return
    if (matches(filter, event)) yield event
  }
}
