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
  /** Conditions for which the rows have to be looked at. */
  readonly matching: readonly Condition[]
  readonly toItem: (row: Row) => T
}

/** Rows looked at for one page, whatever of them the conditions let through: bounds the work of a request. */
const scanned = 2_000

/** What of a table matches, in the order of the log. A page may hold fewer than `limit`, even none, and have a next one. */
export const search = <T>(reader: ViewReader, page: OrderedPage, wanted: Search<T>): Page<T> => {
  const between = positionsIn(reader, wanted.period)
  if (!between) return { items: [], next: undefined }
  const { limit, order } = page
  const [within, matching] = [made([...wanted.within, ...placed(page, between)]), made(wanted.matching)]
  const rowsOf = (columns: string) =>
    `select ${columns} from ${wanted.table} where ${within.sql} order by position ${order === 'oldest' ? '' : 'desc'}`
  const select =
    matching.sql === ''
      ? `${rowsOf('*')} limit ?`
      : `select * from (${rowsOf('*')} limit ${scanned}) where ${matching.sql} limit ?`
  const rows = reader.all(select, ...within.values, ...matching.values, limit + 1)
  const items = rows.slice(0, limit).map(wanted.toItem)
  if (rows.length > limit) return { items, next: rows[limit - 1]?.['position'] as Position }
  if (matching.sql === '') return { items, next: undefined }
  const last = reader.get(`${rowsOf('position')} limit 1 offset ${scanned - 1}`, ...within.values)
  return { items, next: last?.['position'] as Position | undefined }
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
