import type { DatabaseSync } from 'node:sqlite'
import type { Recorded } from '../src/core/events.ts'
import { type EventId, origin, type Position } from '../src/core/ids.ts'
import type { StreamName } from '../src/core/streams.ts'
import { UnreadableEvent } from '../src/core/unreadableEvent.ts'
import { type Handlers, type Projection, type Row, type ViewWriter, viewWriter } from './projection.ts'

/** The last event that a view has taken in; by its stream, revision and id one can tell whether a log holds it. */
export type Checkpoint = {
  readonly position: Position
  readonly event?: { readonly id: EventId; readonly stream: StreamName; readonly revision: number }
}

const bookkeeping = `
create table if not exists projection (
  name text primary key,
  version integer not null,
  tables text not null,
  position text not null,
  eventId text,
  stream text,
  revision integer
) strict, without rowid;`

/**
 * Makes the tables of the projections, empty where a view is new or has another version than before, and drops the
 * tables of projections that are no more. Returns the names of those that begin at the first event.
 */
export const createViews = (db: DatabaseSync, projections: readonly Projection[]): readonly string[] =>
  atOnce(db, () => {
    db.exec(bookkeeping)
    const views = viewWriter(db)
    const versions = new Map(projections.map(({ name, version }) => [name, version]))
    const present = tableNames(views)
    for (const row of views.all('select name, version, tables from projection')) {
      const isWhole = tablesOf(row).every((table) => present.has(table))
      if (!isWhole || versions.get(row['name'] as string) !== row['version']) drop(db, row)
    }
    const kept = new Set(views.all('select name from projection').map(({ name }) => name))
    const made = projections.filter(({ name }) => !kept.has(name))
    for (const projection of made) create(db, projection)
    return made.map(({ name }) => name)
  })

const tableNames = (views: ViewWriter) =>
  new Set(views.all(`select name from sqlite_schema where type = 'table'`).map(({ name }) => name as string))

const create = (db: DatabaseSync, { name, version, tables }: Projection) => {
  const views = viewWriter(db)
  const before = tableNames(views)
  db.exec(tables)
  const made = [...tableNames(views)].filter((table) => !before.has(table))
  const insert = 'insert into projection (name, version, tables, position) values (?, ?, ?, ?)'
  views.run(insert, name, version, JSON.stringify(made), origin)
}

/** The tables that were made for a view; `create` wrote the list. */
const tablesOf = ({ tables }: Row) => JSON.parse(tables as string) as readonly string[]

const drop = (db: DatabaseSync, row: Row) => {
  for (const table of tablesOf(row)) db.exec(`drop table if exists "${table}"`)
  viewWriter(db).run('delete from projection where name = ?', row['name'] as string)
}

/** Each view's checkpoint. They differ only while some of them are being rebuilt. */
export const checkpoints = (db: DatabaseSync): readonly Checkpoint[] =>
  viewWriter(db)
    .all('select position, eventId, stream, revision from projection order by position')
    .map(({ position, eventId, stream, revision }) =>
      position === origin
        ? { position: origin }
        : {
            position: position as Position,
            event: { id: eventId as EventId, stream: stream as StreamName, revision: revision as number },
          },
    )

/** Up to where every view has taken in the log: from there the next events are due. */
export const foldedTo = (db: DatabaseSync): Position => checkpoints(db)[0]?.position ?? origin

/** Up to where one view has taken in the log. */
export const checkpointOf = (db: DatabaseSync, name: string): Position =>
  (viewWriter(db).get('select position from projection where name = ?', name)?.['position'] ?? origin) as Position

/**
 * Takes the events (in the log's order, without a gap after `foldedTo`) into the views, with the checkpoints, in one
 * transaction: all of it or nothing. Events that a view has already taken in are skipped, so a repeat does no harm.
 * Throws `UnreadableEvent` with the failure as its cause if a projection cannot take an event in, and what the
 * database throws if it cannot write.
 */
export const fold = (db: DatabaseSync, projections: readonly Projection[], events: readonly Recorded[]): void => {
  const last = events.at(-1)
  if (!last) return
  const views = viewWriter(db)
  atOnce(db, () => {
    for (const projection of projections) foldInto(views, projection, events, last)
  })
}

const foldInto = (views: ViewWriter, projection: Projection, events: readonly Recorded[], last: Recorded) => {
  const found = views.get('select position from projection where name = ?', projection.name)
  if (!found) throw new Error(`the view ${projection.name} was not created`)
  const folded = found['position'] as Position
  if (last.position <= folded) return
  const { on, end } = typeof projection.on === 'function' ? projection.on() : { on: projection.on }
  for (const event of events) if (event.position > folded) apply(views, { name: projection.name, on }, event)
  end?.(views)
  const advance = 'update projection set position = ?, eventId = ?, stream = ?, revision = ? where name = ?'
  views.run(advance, last.position, last.id, last.stream, last.revision, projection.name)
}

type Named = { readonly name: string; readonly on: Handlers }

const apply = (views: ViewWriter, { name, on }: Named, event: Recorded) => {
  // The handler that a type names takes events of that type: `on` is declared so, but the compiler cannot pair them.
  const handler = on[event.type] as ((views: ViewWriter, event: Recorded) => void) | undefined
  if (!handler) return
  try {
    handler(views, event)
  } catch (cause) {
    const { type, stream, revision, position } = event
    const detail = `The view ${name} cannot take in ${type}, revision ${revision} of ${stream}, at ${position}`
    throw new UnreadableEvent(event, { detail, cause })
  }
}

const atOnce = <T>(db: DatabaseSync, change: () => T): T => {
  db.exec('begin immediate')
  try {
    const result = change()
    db.exec('commit')
    return result
  } catch (error) {
    if (db.isTransaction) db.exec('rollback')
    throw error
  }
}
