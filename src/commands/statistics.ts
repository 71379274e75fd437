import type { Command } from './command.ts'
import { running } from './configured.ts'
import { table, write, writeJson } from './output.ts'

type Row = Readonly<Record<(typeof columns)[number], number>> & { readonly start: string }
type Answer = { readonly per: string; readonly statistics: readonly Row[] }

const columns = ['received', 'octetsReceived', 'retrieved', 'octetsRetrieved', 'refused', 'sessions'] as const
const options = {
  per: { value: 'UNIT', about: 'minute, hour or day; otherwise hour' },
  since: { value: 'TIME', about: 'From a date, or date and time with zone (ISO 8601)' },
  until: { value: 'TIME', about: 'Up to it; otherwise now' },
} as const

export const statistics: Command = {
  name: 'statistics',
  summary: 'Print what was received, retrieved and refused per minute, hour or day (UTC)',
  operands: [],
  options,
  run: async (given, io) => {
    const query = new URLSearchParams()
    for (const name of Object.keys(options)) {
      const value = given.optional(name)
      if (value !== undefined) query.set(name, value)
    }
    const answer = await running(given, io).get<Answer>(`/v1/statistics?${query.toString()}`)
    if (given.flag('json')) await writeJson(io.stdout, answer)
    else await write(io.stdout, tableOf(answer))
    return undefined
  },
}

const tableOf = ({ statistics }: Answer) =>
  table(
    ['START', 'RECEIVED', 'OCTETS', 'RETRIEVED', 'OCTETS', 'REFUSED', 'SESSIONS'],
    statistics.map((row) => [row.start, ...columns.map((name) => String(row[name]))]),
  )
