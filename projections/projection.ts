import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import type { EventType, Recorded } from '../src/core/events.ts'
import type { Position } from '../src/core/ids.ts'

/** One row of a view. The tables are strict, so a column holds what its table declares: readers cast on that ground. */
export type Row = Readonly<Record<string, SQLOutputValue>>

export type Columns = readonly SQLOutputValue[]

/** Reads views. Each text of SQL is prepared once per connection: texts are constants, values are arguments. */
export type ViewReader = {
  get(sql: string, ...values: SQLInputValue[]): Row | undefined
  all(sql: string, ...values: SQLInputValue[]): readonly Row[]
  /** The same without names, each row's columns in the order of the text: two thirds of the time where rows are many (measured). */
  columns(sql: string, ...values: SQLInputValue[]): readonly Columns[]
}

/** Reads and changes views. `run` returns how many rows it changed. */
export type ViewWriter = ViewReader & { run(sql: string, ...values: SQLInputValue[]): number }

export type Handlers = { readonly [T in EventType]?: (views: ViewWriter, event: Recorded<T>) => void }

/** Handlers that add up what a few events of one batch do to the same row; `end` writes it, once, after the last. */
export type Batch = { readonly on: Handlers; end(views: ViewWriter): void }

/**
 * A view: its tables, how events change them. The same log always gives the same view, so a handler reads only the
 * event and its own tables: no time, no chance, no other projection's tables.
 */
export type Projection = {
  readonly name: string
  /** Raise it and the view is rebuilt from the first event. */
  readonly version: number
  /** SQL that creates the tables and their indices. */
  readonly tables: string
  /** Or what begins a batch: what it has gathered is gone with a batch that fails. */
  readonly on: Handlers | (() => Batch)
}

const writers = new WeakMap<DatabaseSync, ViewWriter>()

/** The writer of a connection, with its prepared statements; one per connection however often it is asked for. */
export const viewWriter = (db: DatabaseSync): ViewWriter => {
  const known = writers.get(db)
  if (known) return known
  const prepared = new Map<string, StatementSync>()
  const statement = (sql: string) => {
    const found = prepared.get(sql)
    if (found) return found
    const made = db.prepare(sql)
    prepared.set(sql, made)
    return made
  }
  const inOrder = new Map<string, StatementSync>()
  const statementInOrder = (sql: string) => {
    const found = inOrder.get(sql)
    if (found) return found
    const made = db.prepare(sql)
    made.setReturnArrays(true)
    inOrder.set(sql, made)
    return made
  }
  const writer: ViewWriter = {
    get: (sql, ...values) => statement(sql).get(...values),
    all: (sql, ...values) => statement(sql).all(...values),
    // Its type does not know of `setReturnArrays`.
    columns: (sql, ...values) => statementInOrder(sql).all(...values) as unknown as readonly Columns[],
    run: (sql, ...values) => Number(statement(sql).run(...values).changes),
  }
  writers.set(db, writer)
  return writer
}

/** The reader of a connection: of a file opened read-only, or of a database in memory. */
export const viewReader = (db: DatabaseSync): ViewReader => viewWriter(db)

/** Which page: at most `limit` items (1 or more) after the cursor that the page before gave as its `next`. */
export type PageRequest = { readonly after?: Position | undefined; readonly limit: number }

/** `next` is where the next page begins; undefined when there is nothing after this one. */
export type Page<T> = { readonly items: readonly T[]; readonly next: Position | undefined }

/** A page of rows that were asked for with one more than `limit`, each with its `position`. */
export const pageOf = <T>(rows: readonly Row[], limit: number, toItem: (row: Row) => T): Page<T> => {
  const shown = rows.slice(0, limit)
  const next = rows.length > limit ? (shown.at(-1)?.['position'] as Position) : undefined
  return { items: shown.map(toItem), next }
}

/** For a change that some earlier event must have prepared: a log in which it did not is not folded further. */
export const mustChange = (changed: number): void => {
  if (changed === 0) throw new Error('no earlier event made what this event is about')
}
