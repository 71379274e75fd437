import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Position } from '../../src/core/ids.ts'
import type { ProjectorReport } from '../../src/storage/projector.ts'
import { teller } from '../../src/storage/truth.ts'

test('a log that comes back and does not say at once where it ends is asked again, and the views go on', async () => {
  const reports: ProjectorReport[] = []
  let asked = 0
  const head = () => (asked++ === 0 ? Promise.reject(new Error('away')) : Promise.resolve('2' as Position))
  const closing = new AbortController()
  const report = (said: ProjectorReport) => void reports.push(said)
  const tell = teller({ log: { head }, foldedTo: () => '2' as Position, report, signal: closing.signal })
  tell.state('away')
  tell.state(undefined)
  await delay(1200)
  closing.abort()
  assert.equal(
    reports.map(({ type }) => type),
    ['stalled', 'folded'],
  )
})

test.run()
