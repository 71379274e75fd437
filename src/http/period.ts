import { Type } from 'typebox'
import type { Period } from '../../projections/statistics.ts'
import { GatewayError } from '../core/errors.ts'
import { timeOf } from '../core/eventFilter.ts'

const time = (description: string) => Type.Optional(Type.String({ maxLength: 40, description }))
const form = 'ISO 8601: a date, or date and time with zone.'
export const since = (what: string) => time(`${what} then or later; ${form}`)
export const until = (what: string) => time(`${what} then or before; ${form}`)

/** Throws `request-invalid` for what is no time. */
export const periodOf = (asked: {
  readonly since?: string | undefined
  readonly until?: string | undefined
}): Period => ({
  since: timeIn('since', asked.since),
  until: timeIn('until', asked.until),
})

const timeIn = (name: string, text: string | undefined) => {
  if (text === undefined) return undefined
  const found = timeOf(text)
  if (found) return found.toISOString()
  throw new GatewayError('request-invalid', { detail: `querystring/${name} is not valid` })
}
