import {
  appendFileSync,
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { countMaildrop, maildropOf } from '../../projections/maildrops.ts'
import { listMailboxes } from '../../projections/mailboxes.ts'
import { listMessages } from '../../projections/messages.ts'
import { listSessions } from '../../projections/sessions.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { origin } from '../../src/core/ids.ts'
import type { EventLog, Logger } from '../../src/core/ports.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { type ProjectorReport, startProjector } from '../../src/storage/projector.ts'
import { openViews, type Views } from '../../src/storage/views.ts'
import { until } from '../support/until.ts'
import { arrived, closed, created, opened, reserved, retrieved, updated } from '../unit/projectionsFacts.ts'
import { append, mailboxId, steppingClock } from '../unit/projectionsGiven.ts'

type Place = { readonly file: string; readonly logFile: string; readonly log: EventLog; readonly said: string[] }

const open = ({ file, logFile, said }: Place): Promise<Views> => {
  const say = (fields: object, text: string) => void said.push(`${text} ${JSON.stringify(fields)}`)
  const logger: Logger = { info: say, warn: say, error: say }
  return openViews({ file, log: { engine: 'sqlite', file: logFile }, logger })
}

/** A directory with a log, empty or as in another directory; gone afterwards. */
const inPlace = async (work: (place: Place) => Promise<void>, from?: string) => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-views-'))
  if (from !== undefined) cpSync(from, dir, { recursive: true })
  const logFile = join(dir, 'events.db')
  const log = sqliteLog({ file: logFile, clock: steppingClock() })
  try {
    await work({ file: join(dir, 'views.db'), logFile, log, said: [] })
  } finally {
    await log.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** With the views open and as far as they come, for which a start waits two seconds and no longer. */
const withViews = async <T>(place: Place, work: (views: Views) => Promise<T> | T): Promise<T> => {
  const views = await open(place)
  try {
    await until(() => views.status().state !== 'behind', 'views that are not behind')
    return await work(views)
  } finally {
    await views.close()
  }
}

const answers = ({ reader }: Views) => ({
  mailboxes: listMailboxes(reader, { limit: 99 }),
  messages: listMessages(reader, { mailboxId: mailboxId(1), limit: 99 }),
  maildrop: maildropOf(reader, mailboxId(1), { limit: 99 }),
  sessions: listSessions(reader, { limit: 99 }),
})

const life = [
  reserved('a@example.org', 1),
  created(1),
  opened(1),
  arrived(1, 1),
  arrived(2, 1),
  retrieved(1, 1),
  updated(1, 1),
  closed(1),
] as const

const failureOf = async (work: Promise<unknown>): Promise<GatewayError> => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.instance(error, GatewayError)
  return error as GatewayError
}

/** An event that no version of the gateway knows, as a newer one might have written it. */
const appendUnreadable = (logFile: string, stream = 'gateway-x') => {
  const db = new DatabaseSync(logFile, { timeout: 30_000 })
  db.exec(`insert into event (stream, revision, id, type, data, metadata, recordedAt)
    values ('${stream}', 0, '${crypto.randomUUID()}', 'FromTheFuture', '{}', '{"version":1}', '2026-01-01T00:00:00.000Z')`)
  db.close()
}

test('views that open hold everything that was in the log', () =>
  inPlace(async (place) => {
    await append(place.log, life)
    const position = await place.log.head()
    await withViews(place, (views) => {
      assert.is(answers(views).messages.items.length, 2)
      assert.is(answers(views).maildrop.items.length, 1)
      const { state, position: upTo, reason, mailboxesKnown } = views.status()
      assert.equal([state, upTo, reason, mailboxesKnown], ['live', position, undefined, true])
    })
  }))

test('the views of an empty log open, and are empty', () =>
  inPlace((place) =>
    withViews(place, (views) => {
      assert.is(answers(views).mailboxes.items.length, 0)
    }),
  ))

test('what was appended is seen once its position is visible', () =>
  inPlace((place) =>
    withViews(place, async (views) => {
      for (let n = 1; n <= 20; n++) {
        await append(place.log, [arrived(n, 1)])
        await views.visible(await place.log.head())
        assert.is(countMaildrop(views.reader, mailboxId(1)), n)
      }
    }),
  ))

test('views that are opened again go on where they were', () =>
  inPlace(async (place) => {
    await append(place.log, life)
    await withViews(place, () => undefined)
    await append(place.log, [arrived(3, 1)])
    const said = place.said.length
    await withViews(place, (views) => {
      assert.is(answers(views).messages.items.length, 3)
    })
    assert.not.ok(place.said.slice(said).some((line) => line.includes('Building views from the log')))
  }))

test('invariant 7: deleting views.db and starting again gives the same answers', () =>
  inPlace(async (place) => {
    await append(place.log, life)
    const before = await withViews(place, answers)
    rmSync(place.file)
    assert.equal(await withViews(place, answers), before)
  }))

const corruptions: Readonly<Record<string, (file: string) => void>> = {
  'is no database': (file) => writeFileSync(file, 'no database at all, but a good kilobyte of text. '.repeat(30)),
  'has lost its pages': (file) => {
    const handle = openSync(file, 'r+')
    for (let page = 1; page < 12; page++) writeSync(handle, Buffer.alloc(4096, 0xee), 0, 4096, page * 4096)
    closeSync(handle)
  },
  'was found corrupt by an earlier process': (file) => writeFileSync(`${file}-corrupt`, ''),
  'lacks a table': (file) => alter(file, 'drop table message'),
  'was made by an earlier version of a view': (file) =>
    alter(file, `update projection set version = 0 where name = 'messages'`),
  'has a checkpoint that is not in the log': (file) => alter(file, `update projection set eventId = 'other'`),
}
const alter = (file: string, sql: string) => {
  const db = new DatabaseSync(file)
  db.exec(sql)
  db.close()
}

/** A directory with log and views after `life`, made once for all corruptions; and what its views answer. */
const model = mkdtempSync(join(tmpdir(), 'sealpost-views-'))
let modelAnswers: ReturnType<typeof answers> | undefined
test.after(() => rmSync(model, { recursive: true, force: true }))

test('views that were closed are whole in one file, which only its owner reads', () =>
  inPlace(async (place) => {
    await append(place.log, life)
    modelAnswers = await withViews(place, answers)
    assert.not.ok(existsSync(`${place.file}-wal`))
    if (process.platform !== 'win32') assert.is(statSync(place.file).mode & 0o077, 0)
    await place.log.close()
    cpSync(dirname(place.file), model, { recursive: true })
  }))

for (const [kind, corrupt] of Object.entries(corruptions)) {
  test(`a views.db that ${kind} is built anew, with the same answers`, () =>
    inPlace(async (place) => {
      corrupt(place.file)
      await append(place.log, [arrived(3, 2)])
      assert.equal(await withViews(place, answers), modelAnswers)
      assert.ok(place.said.some((line) => line.includes('Building views from the log')))
      assert.not.ok(existsSync(`${place.file}-corrupt`))
    }, model))
}

test('a views.db beside a write-ahead log that is none of its own gives the same answers', () =>
  inPlace(async (place) => {
    appendFileSync(`${place.file}-wal`, Buffer.alloc(9000, 7))
    assert.equal(await withViews(place, answers), modelAnswers)
  }, model))

test('an event that cannot be read does not refuse the start: mailboxes are known beyond it, the rest has stopped at it', () =>
  inPlace(async (place) => {
    await append(place.log, life)
    const position = await place.log.head()
    appendUnreadable(place.logFile)
    await append(place.log, [created(2), arrived(3, 1)])
    await withViews(place, (views) => {
      const { state, event, mailboxesKnown, position: upTo } = views.status()
      assert.equal([state, mailboxesKnown, upTo], ['stopped', true, position])
      const place = { position: '0000000000000011', stream: 'gateway-x', revision: 0, type: 'FromTheFuture' }
      assert.equal(event, place)
      assert.is(listMailboxes(views.reader, { limit: 9 }).items.length, 2)
      assert.is(answers(views).messages.items.length, 2)
    })
    assert.ok(place.said.some((line) => /have stopped.*FromTheFuture.*gateway-x/.test(line)))
  }))

test('mailboxes are followed while the other views have stopped', () =>
  inPlace(async (place) => {
    appendUnreadable(place.logFile)
    await withViews(place, async (views) => {
      assert.is(views.status().state, 'stopped')
      await append(place.log, [created(1), arrived(1, 1)])
      await views.mailboxesVisible(await place.log.head(), AbortSignal.timeout(30_000))
      assert.is(listMailboxes(views.reader, { limit: 9 }).items.length, 1)
      assert.is((await failureOf(views.visible(await place.log.head()))).code, 'storage-failed')
    })
  }))

test('an event of a mailbox that cannot be read refuses the start, and says which', () =>
  inPlace(async (place) => {
    await append(place.log, life)
    appendUnreadable(place.logFile, `mailbox-${mailboxId(2)}`)
    const error = await failureOf(open(place))
    assert.is(error.code, 'start-refused')
    assert.match(error.message, /FromTheFuture/)
  }))

test('after an event of a mailbox that cannot be read, nobody says that an unknown mailbox does not exist', () =>
  inPlace((place) =>
    withViews(place, async (views) => {
      appendUnreadable(place.logFile, `mailbox-${mailboxId(2)}`)
      await append(place.log, [arrived(1, 1)])
      await failureOf(views.visible(await place.log.head()))
      await until(() => !views.status().mailboxesKnown)
      assert.is(views.status().state, 'stopped')
      assert.is((await failureOf(views.mailboxesVisible(await place.log.head()))).code, 'storage-failed')
    }),
  ))

test('what stands before an event that cannot be read is in the views, however close', () =>
  inPlace(async (place) => {
    await append(place.log, [created(1), arrived(1, 1)])
    appendUnreadable(place.logFile)
    await withViews(place, (views) => {
      assert.is(countMaildrop(views.reader, mailboxId(1)), 1)
    })
  }))

test('the mailboxes are known before anything else is folded, and are looked after on a long way', () =>
  inPlace(async (place) => {
    await append(place.log, [...Array.from({ length: 2000 }, (_, n) => arrived(n + 1, 1)), created(1)])
    const head = await place.log.head()
    const reports: ProjectorReport[] = []
    const caughtUp = Promise.withResolvers<undefined>()
    const projector = startProjector({ file: place.file, log: { engine: 'sqlite', file: place.logFile } }, (report) => {
      reports.push(report)
      if (report.type === 'caughtUp') caughtUp.resolve(undefined)
    })
    await caughtUp.promise
    await projector.close()
    const opened = { type: 'opened', from: origin, mailboxes: head, to: head, total: 4001 }
    assert.equal({ ...reports[0], rebuilt: [] }, { ...opened, rebuilt: [] })
    const folded = reports.filter((report) => report.type === 'folded')
    assert.is(
      folded.reduce((sum, { events }) => sum + events, 0),
      4001,
    )
    assert.is(folded.at(-1)?.position, head)
  }))

test('an event that cannot be read stops the running views: nothing is skipped, and what was seen is still read', () =>
  inPlace(async (place) => {
    await append(place.log, life)
    await withViews(place, async (views) => {
      const before = answers(views)
      const { position } = views.status()
      appendUnreadable(place.logFile)
      await append(place.log, [arrived(9, 1)])
      const head = await place.log.head()
      assert.is((await failureOf(views.visible(head))).code, 'storage-failed')
      const status = views.status()
      assert.equal([status.state, status.position], ['stopped', position])
      assert.match(String(status.reason), /FromTheFuture/)
      assert.ok(place.said.some((line) => line.includes('stopped') && line.includes('FromTheFuture')))
      assert.equal(answers(views), before)
      await views.visible(position)
    })
  }))

test('an event that a view cannot take in stops the views and not the log', () =>
  inPlace((place) =>
    withViews(place, async (views) => {
      await append(place.log, [retrieved(404, 1)])
      assert.is((await failureOf(views.visible(await place.log.head()))).code, 'storage-failed')
      assert.match(String(views.status().reason), /messages cannot take in MessageRetrieved/)
      await append(place.log, [arrived(1, 1)])
    }),
  ))

test('views whose file cannot be written stall, say so, and go on by themselves', () =>
  inPlace((place) =>
    withViews(place, async (views) => {
      const obstacle = new DatabaseSync(place.file, { timeout: 30_000 })
      obstacle.exec('begin immediate')
      await append(place.log, [arrived(1, 1)])
      const head = await place.log.head()
      assert.is((await failureOf(views.visible(head))).code, 'storage-failed')
      assert.is(views.status().state, 'stalled')
      obstacle.exec('rollback')
      obstacle.close()
      await until(() => views.status().state === 'live')
      await views.visible(head)
      assert.is(countMaildrop(views.reader, mailboxId(1)), 1)
    }),
  ))

test('a log that does not exist refuses the start', () =>
  inPlace(async (place) => {
    assert.is((await failureOf(open({ ...place, logFile: `${place.logFile}-not` }))).code, 'start-refused')
  }))

test('closing refuses who waits and who reads, and may be repeated', () =>
  inPlace(async (place) => {
    const views = await open(place)
    const waiting = failureOf(views.visible('9'.repeat(16) as never))
    await views.close()
    await views.close()
    assert.is((await waiting).code, 'shutting-down')
    assert.is(views.status().state, 'closed')
    assert.throws(
      () => answers(views),
      (error: unknown) => error instanceof GatewayError && error.code === 'shutting-down',
    )
  }))

test('the reader of the views cannot write', () =>
  inPlace((place) =>
    withViews(place, ({ reader }) => {
      assert.throws(
        () => reader.all('delete from message'),
        (error: unknown) => error instanceof GatewayError && error.code === 'storage-failed',
      )
    }),
  ))

test.run()
