import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { newCommandId } from '../../src/core/ids.ts'
import { type Clock, type EventLog, systemClock } from '../../src/core/ports.ts'
import { readSqliteLog, sqliteLog, sqliteLogOver } from '../../src/log/sqlite.ts'
import { openForWriting } from '../../src/log/sqliteFile.ts'
import type { Database } from '../../src/log/sqliteWriter.ts'
import { appendOf, everything, failure, numberIn } from './eventLogContract.ts'

type Context = { directory: string; file: string }
const test = suite<Context>('sqlite log')

test.before.each((context) => {
  context.directory = mkdtempSync(join(tmpdir(), 'sealpost-log-'))
  context.file = join(context.directory, 'events.db')
})
test.after.each(({ directory }) => rmSync(directory, { recursive: true }))

const using = async <T>(log: EventLog, work: (log: EventLog) => Promise<T>): Promise<T> => {
  try {
    return await work(log)
  } finally {
    await log.close()
  }
}

/** A log over a database of which the test decides what fails: `fail` throws, or lets the statement through. */
const faultyLog = (file: string, fail: (sql: string) => void) => {
  const db = openForWriting(file)
  const fatal: GatewayError[] = []
  const faulty: Database = {
    exec: (sql) => {
      fail(sql)
      db.exec(sql)
    },
    prepare: (sql) => db.prepare(sql),
    close: () => db.close(),
    get isTransaction() {
      return db.isTransaction
    },
  }
  return { db, fatal, log: sqliteLogOver(faulty, { file, clock: systemClock, onFatal: (error) => fatal.push(error) }) }
}

const sqliteError = (errcode: number) => Object.assign(new Error(`injected ${errcode}`), { errcode })
const ioErrorFsync = 10 | (4 << 8)

const refusal = (open: () => unknown): string => {
  try {
    open()
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'start-refused') return error.message
    throw error
  }
  return 'opened'
}

test('a full disk rejects with storage-full, writes nothing, and recovers by itself', ({ file }) => {
  const db = openForWriting(file)
  return using(sqliteLogOver(db, { file, clock: systemClock }), async (log) => {
    await log.append(appendOf('gateway-a', 'no-stream', [0]))
    const { page_count } = db.prepare('pragma page_count').get() as { page_count: number }
    db.exec(`pragma max_page_count = ${page_count + 4}`)
    const appends = Array.from({ length: 20 }, (_, n) =>
      appendOf(`gateway-${n}`, 'no-stream', Array<number>(50).fill(n)),
    )
    const outcomes = await Promise.all(appends.map((append) => failure(log.append(append))))
    assert.equal(new Set(outcomes), new Set(['storage-full']))
    assert.equal((await everything(log)).map(numberIn), [0])
    db.exec('pragma max_page_count = 1000000')
    const retries = await Promise.all(appends.map((append) => failure(log.append(append))))
    assert.equal(new Set(retries), new Set(['none']))
    assert.is((await everything(log)).length, 1_001)
  })
})

test('a commit that finds the disk full has written nothing and the log goes on', async ({ file }) => {
  let full = false
  const { log, fatal } = faultyLog(file, (sql) => {
    if (full && sql === 'commit') throw sqliteError(13)
  })
  await using(log, async () => {
    full = true
    assert.is(await failure(log.append(appendOf('gateway-a', 'no-stream', [1]))), 'storage-full')
    full = false
    assert.is(await failure(log.append(appendOf('gateway-a', 'no-stream', [2]))), 'none')
    assert.equal((await everything(log)).map(numberIn), [2])
    assert.equal(fatal, [])
  })
})

test('after a failed fsync the outcome is unknown, nothing more is written, and the process is told once', async ({
  file,
}) => {
  let broken = false
  const { log, fatal } = faultyLog(file, (sql) => {
    if (broken && sql === 'commit') throw sqliteError(ioErrorFsync)
  })
  await using(log, async () => {
    await log.append(appendOf('gateway-a', 'no-stream', [1]))
    broken = true
    const outcomes = [2, 3].map((n) => failure(log.append(appendOf('gateway-b', 'any', [n]))))
    assert.equal(await Promise.all(outcomes), ['outcome-unknown', 'outcome-unknown'])
    broken = false
    assert.is(await failure(log.append(appendOf('gateway-b', 'any', [4]))), 'storage-failed')
    assert.is(await failure(log.append(appendOf('gateway-b', 'any', [5]))), 'storage-failed')
    assert.equal(
      fatal.map(({ code }) => code),
      ['outcome-unknown'],
    )
    assert.equal((await everything(log)).map(numberIn), [1])
  })
})

test('while another connection holds the lock nothing is written, and the log recovers by itself', async ({ file }) => {
  const db = openForWriting(file)
  const other = new DatabaseSync(file)
  await using(sqliteLogOver(db, { file, clock: systemClock }), async (log) => {
    db.exec('pragma busy_timeout = 0')
    other.exec('begin immediate')
    assert.is(await failure(log.append(appendOf('gateway-a', 'no-stream', [1]))), 'not-written')
    other.exec('rollback')
    assert.is(await failure(log.append(appendOf('gateway-a', 'no-stream', [1]))), 'none')
  })
  other.close()
})

test('a hundred appends at the same time are one commit', async ({ file }) => {
  let commits = 0
  const { log } = faultyLog(file, (sql) => {
    if (sql === 'commit') commits++
  })
  await using(log, async () => {
    await Promise.all(Array.from({ length: 100 }, (_, n) => log.append(appendOf(`gateway-${n}`, 'no-stream', [n]))))
    assert.is(commits, 1)
    assert.is((await everything(log)).length, 100)
  })
})

test('two writers of one file are told apart by the revision, not by luck', async ({ file }) => {
  const options = { file, clock: systemClock }
  await using(sqliteLog(options), (one) =>
    using(sqliteLog(options), async (other) => {
      for (let n = 0; n < 20; n++) {
        const rivals = [one, other].map((log) =>
          failure(log.append(appendOf('gateway-a', n === 0 ? 'no-stream' : n - 1, [n]))),
        )
        assert.equal((await Promise.all(rivals)).toSorted(), ['none', 'revision-conflict'])
      }
      assert.equal(await everything(one), await everything(other))
    }),
  )
})

test("the log's time stands still while the clock goes backwards", async ({ file }) => {
  const times = ['2025-01-01T00:00:02.000Z', '2025-01-01T00:00:01.000Z', '2025-01-01T00:00:03.000Z']
  let next = 0
  const clock: Clock = { now: () => new Date(times[next++] ?? 0) }
  await using(sqliteLog({ file, clock }), async (log) => {
    for (let n = 0; n < 3; n++) await log.append(appendOf('gateway-a', 'any', [n]))
    assert.equal(
      (await everything(log)).map(({ recordedAt }) => recordedAt),
      ['2025-01-01T00:00:02.000Z', '2025-01-01T00:00:02.000Z', '2025-01-01T00:00:03.000Z'],
    )
  })
})

test('the write-ahead log stays small however much is written', async ({ file }) => {
  await using(sqliteLog({ file, clock: systemClock }), async (log) => {
    for (let n = 0; n < 60; n++) await log.append(appendOf('gateway-a', 'any', Array<number>(1_000).fill(n)))
    assert.ok(statSync(file).size > 15_000_000, 'much was written')
    assert.ok(statSync(`${file}-wal`).size < 12_000_000, `${statSync(`${file}-wal`).size}`)
  })
})

test('a closed log is one file that the stock tools read, and only its owner may', async ({ file, directory }) => {
  await using(sqliteLog({ file, clock: systemClock }), (log) => log.append(appendOf('gateway-a', 'no-stream', [1])))
  const bytes = readFileSync(file)
  assert.is(bytes.subarray(68, 72).toString(), 'SpLg')
  assert.is(statSync(file).mode & 0o777, 0o600)
  const alone = join(directory, 'copy.db')
  writeFileSync(alone, bytes)
  const db = new DatabaseSync(alone)
  assert.equal(
    { ...db.prepare("select stream, data ->> '$.counts.n' as n from event").get() },
    { stream: 'gateway-a', n: 1 },
  )
  db.close()
})

test('events cannot be changed or deleted, not even by hand', async ({ file }) => {
  await using(sqliteLog({ file, clock: systemClock }), (log) => log.append(appendOf('gateway-a', 'no-stream', [1])))
  const db = new DatabaseSync(file)
  assert.throws(() => db.exec("update event set type = 'GatewayStopped'"), /never changed/)
  assert.throws(() => db.exec('delete from event'), /never deleted/)
  db.close()
})

test('an event of an unknown type or newer version fails the reading and is never skipped', async ({ file }) => {
  await using(sqliteLog({ file, clock: systemClock }), async (log) => {
    await log.append(appendOf('gateway-a', 'no-stream', [1]))
    const db = new DatabaseSync(file)
    db.exec(`insert into event select 2, stream, 1, 'later', 'MessageForwarded', data, metadata, recordedAt from event`)
    db.close()
    assert.is(await failure(everything(log)), 'event-unreadable')
    assert.is(await failure(log.readStream('gateway-a', 0, 10)), 'event-unreadable')
    assert.equal((await log.readStream('gateway-a', 0, 1)).map(numberIn), [1])
    const delivered: number[] = []
    const end = await new Promise<unknown>((resolve) =>
      log.subscribe('' as never, (events) => void delivered.push(...events.map(numberIn)), resolve),
    )
    assert.equal(delivered, [1])
    assert.match(String(end), 'position 0000000000000002, type MessageForwarded, version 1')
  })
})

test('what is not a log of this gateway is refused by name and left as it was', ({ file, directory }) => {
  const text = join(directory, 'text')
  writeFileSync(text, 'no database, but long enough to look at: '.repeat(100))
  const foreign = join(directory, 'foreign.db')
  const db = new DatabaseSync(foreign)
  db.exec('create table other (x)')
  db.close()
  const before = readFileSync(foreign)
  const open = (name: string) => refusal(() => sqliteLog({ file: name, clock: systemClock }))
  assert.match(open(text), /text cannot be opened: file is not a database/)
  assert.match(open(foreign), /foreign\.db is not a log of this gateway/)
  assert.match(open(join(directory, 'absent', 'events.db')), /events\.db cannot be opened: .*no such file or directory/)
  assert.match(
    refusal(() => readSqliteLog({ file })),
    /events\.db cannot be opened/,
  )
  assert.equal(readFileSync(foreign), before)
})

test('a log of a newer schema is refused with both versions', async ({ file }) => {
  await sqliteLog({ file, clock: systemClock }).close()
  const db = new DatabaseSync(file)
  db.exec('pragma user_version = 7')
  db.close()
  const message = /has schema 7, written by a newer gateway; this one reads up to 1/
  assert.match(
    refusal(() => sqliteLog({ file, clock: systemClock })),
    message,
  )
  assert.match(
    refusal(() => readSqliteLog({ file })),
    message,
  )
})

test('a log that is open for reading refuses appends and reads what the writer has written', async ({ file }) => {
  await using(sqliteLog({ file, clock: systemClock }), async (writer) => {
    await writer.append(appendOf('gateway-a', 'no-stream', [1]))
    await using(readSqliteLog({ file }), async (reader) => {
      assert.is(await failure(reader.append(appendOf('gateway-a', 'any', [2]))), 'not-written')
      await writer.append(appendOf('gateway-a', 0, [3]))
      assert.equal(await everything(reader), await everything(writer))
      assert.is(await reader.head(), await writer.head())
    })
  })
})

test('the file of a killed writer is read as it is, and a repeat of its append is recognised', async ({
  file,
  directory,
}) => {
  const append = { ...appendOf('gateway-a', 'no-stream', [1]), commandId: newCommandId() }
  await using(sqliteLog({ file, clock: systemClock }), async (log) => {
    const first = await log.append(append)
    const left = join(directory, 'left.db')
    writeFileSync(left, readFileSync(file))
    writeFileSync(`${left}-wal`, readFileSync(`${file}-wal`))
    await using(readSqliteLog({ file: left }), async (reader) => {
      assert.equal((await everything(reader)).map(numberIn), [1])
    })
    await using(sqliteLog({ file: left, clock: systemClock }), async (again) => {
      assert.equal(await again.append(append), first)
    })
  })
})

test.run()
