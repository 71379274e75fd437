import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type EventLog, systemClock } from '../../src/core/ports.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { until } from '../support/until.ts'
import { appendOf } from './eventLogContract.ts'

type Seen = { readonly numbers: readonly number[]; readonly at: number }
type Follower = { readonly seen: readonly Seen[]; readonly count: () => number }

const test = suite('sqlite log, followed from another thread')

const withFollower = async (work: (log: EventLog, follower: Follower) => Promise<void>) => {
  const directory = mkdtempSync(join(tmpdir(), 'sealpost-log-'))
  const file = join(directory, 'events.db')
  const log = sqliteLog({ file, clock: systemClock })
  await log.append(appendOf('gateway-a', 'any', [0]))
  const worker = new Worker(new URL('eventLogThreadReader.ts', import.meta.url), { workerData: file })
  const seen: Seen[] = []
  worker.on('message', (message: Seen) => seen.push(message))
  try {
    await once(worker, 'message')
    await work(log, { seen, count: () => seen.reduce((sum, { numbers }) => sum + numbers.length, 0) })
  } finally {
    worker.postMessage('close')
    await once(worker, 'exit')
    await log.close()
    rmSync(directory, { recursive: true })
  }
}

test('every event arrives there once and in order while appends go on here', () =>
  withFollower(async (log, { seen, count }) => {
    for (let n = 1; n <= 200; n += 4)
      await Promise.all([0, 1, 2, 3].map((i) => log.append(appendOf('gateway-a', 'any', [n + i]))))
    await until(() => count() >= 201)
    assert.equal(
      seen.flatMap(({ numbers }) => numbers),
      Array.from({ length: 201 }, (_, n) => n),
    )
  }))

test('a commit here wakes the follower there at once', () =>
  withFollower(async (log, { seen, count }) => {
    const latencies: number[] = []
    for (let n = 1; n <= 20; n++) {
      await log.append(appendOf('gateway-a', 'any', [n]))
      const acknowledged = performance.timeOrigin + performance.now()
      await until(() => count() > n)
      latencies.push((seen.at(-1)?.at ?? Infinity) - acknowledged)
    }
    const median = latencies.toSorted((a, b) => a - b)[10] ?? Infinity
    if (process.env['SEALPOST_TEST_NUMBERS'] !== undefined) console.log(`wake-up: median ${median.toFixed(2)} ms`)
    // The poll alone would take half a second in the mean.
    assert.ok(median < 250, `${median} ms`)
  }))

test.run()
