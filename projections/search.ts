import type { SQLInputValue } from 'node:sqlite'
import type { Position } from '../src/core/ids.ts'
import type { Page, PageRequest, Row, ViewReader } from './projection.ts'
import { type Period, positionsIn } from './statistics.ts'

/** `oldest` first, so that what arrives comes after every page, or `newest` first, so that it comes before the first. */
export type Order = 'oldest' | 'newest'
export type OrderedPage = PageRequest & { readonly order: Order }

/** SQL and its one value, if it has one; a condition whose value is undefined is not made. */
export type Condition = readonly [sql: string, values: readonly (SQLInputValue | undefined)[]]

export type Search<T> = {
  readonly table: 'message' | 'session'
  readonly period: Period
  /** Conditions that an index answers. */
  readonly within: readonly Condition[]
  /** Which rows there are for readers: nearly all, so that nobody who asks for no more looks through many. */
  readonly shown?: string
  /** Conditions for which the rows have to be looked at. */
  readonly matching: readonly Condition[]
  readonly toItem: (row: Row) => T
}

/** Rows looked at for one page, whatever of them the conditions let through: bounds the work of a request. */
const scanned = 500

/** What of a table matches, in the order of the log. A page may hold fewer than `limit`, even none, and have a next one. */
export const search = <T>(reader: ViewReader, page: OrderedPage, wanted: Search<T>): Page<T> => {
  const between = positionsIn(reader, wanted.period)
  if (!between) return { items: [], next: undefined }
  const { limit, order } = page
  const { table, matching, shown } = wanted
  const ordered = `order by position ${order === 'oldest' ? '' : 'desc'}`
  const within = made([...wanted.within, ...placed(page, between)])
  const bound = `select position from ${table} where ${within.sql} ${ordered} limit 1 offset ${scanned - 1}`
  const isBounded = made(matching).sql !== ''
  const last = (isBounded ? reader.get(bound, ...within.values)?.['position'] : undefined) as Position | undefined
  const looked = last === undefined ? between : { ...between, [order === 'oldest' ? 'last' : 'first']: last }
  const where = made([...wanted.within, ...placed(page, looked), ...matching, ...(shown ? [[shown, []] as const] : [])])
  const rows = reader.all(`select * from ${table} where ${where.sql} ${ordered} limit ?`, ...where.values, limit + 1)
  const items = rows.slice(0, limit).map(wanted.toItem)
  return { items, next: rows.length > limit ? (rows[limit - 1]?.['position'] as Position) : last }
}

/** Where in the log the page lies: one bound at each end, so that the index is entered at the nearer of two. */
const placed = (
  { after, order }: OrderedPage,
  { first, last }: { readonly first: Position; readonly last: Position },
): readonly Condition[] =>
  order === 'oldest'
    ? [
        after !== undefined && after >= first ? ['position > ?', [after]] : ['position >= ?', [first]],
        ['position <= ?', [last]],
      ]
    : [
        after !== undefined && after <= last ? ['position < ?', [after]] : ['position <= ?', [last]],
        ['position >= ?', [first]],
      ]

const made = (conditions: readonly Condition[]) => {
  const used = conditions.filter(([, values]) => !values.includes(undefined))
  return {
    sql: used.map(([sql]) => sql).join(' and '),
    values: used.flatMap(([, values]) => values as readonly SQLInputValue[]),
  }
}
