import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { asGatewayError } from '../../src/core/errors.ts'
import { origin } from '../../src/core/ids.ts'
import { openHistory } from '../../src/history.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { pastViews } from '../../src/storage/history.ts'
import { arrived, created, updated } from '../unit/projectionsFacts.ts'
import { append, mailboxId, steppingClock } from '../unit/projectionsGiven.ts'

const test = suite('past views')
const dir = mkdtempSync(join(tmpdir(), 'sealpost-past-'))
const logFile = join(dir, 'events.db')
const log = sqliteLog({ file: logFile, clock: steppingClock() })
const place = { engine: 'sqlite', file: logFile } as const
const domain = 'archive.example.org'
await append(log, [created(1), ...Array.from({ length: 3000 }, (_, n) => arrived(n + 1, 1)), updated(1, 1, 2)])
test.after(async () => {
  await log.close()
  rmSync(dir, { recursive: true })
})

const maildrop = { view: 'maildrop', mailbox: mailboxId(1), limit: 1000 } as const
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'answered',
    (error: unknown) => asGatewayError(error).code,
  )

test('a thread beside the gateway answers as the history itself does', async () => {
  const past = pastViews({ log: place, domain, questions: 1 })
  const history = openHistory({ log, domain })
  const [, , third] = await log.readAll(origin, 3)
  for (const moment of ['now', { position: third?.position ?? origin }, { time: new Date() }] as const)
    assert.equal(await past.ask(maildrop, moment), await history.ask(maildrop, moment))
  history.close()
  await past.close()
})

test('so many questions are taken and no more; each is answered', async () => {
  const past = pastViews({ log: place, domain, questions: 2 })
  const ask = () => codeOf(past.ask(maildrop, 'now'))
  assert.equal(await Promise.all([ask(), ask(), ask()]), ['answered', 'answered', 'overloaded'])
  assert.is(await ask(), 'answered')
  await past.close()
})

test('a question whose asker has gone makes room, and the next is answered right', async () => {
  const past = pastViews({ log: place, domain, questions: 2 })
  const gone = new AbortController()
  const asked = [past.ask(maildrop, 'now', gone.signal), past.ask(maildrop, 'now', gone.signal)].map(codeOf)
  gone.abort(new Error('gone'))
  assert.not.ok((await Promise.all(asked)).includes('answered'))
  const { items } = await past.ask(maildrop, 'now')
  assert.is(items.length, 1000)
  await past.close()
})

test('a log that cannot be read is the answer, and not the end', async () => {
  const past = pastViews({ log: { engine: 'sqlite', file: `${logFile}-not` }, domain, questions: 1 })
  assert.is(await codeOf(past.ask(maildrop, 'now')), 'start-refused')
  assert.is(await codeOf(past.ask(maildrop, 'now')), 'start-refused')
  await past.close()
})

test('closing ends what runs, and refuses what comes', async () => {
  const past = pastViews({ log: place, domain, questions: 2 })
  const running = codeOf(past.ask(maildrop, 'now'))
  await past.close()
  assert.is.not(await running, 'answered')
  assert.is(await codeOf(past.ask(maildrop, 'now')), 'shutting-down')
})

test.run()
