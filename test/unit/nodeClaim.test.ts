import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { stamper } from '../../src/core/events.ts'
import type { EventLog } from '../../src/core/ports.ts'
import { nodeStream } from '../../src/core/streams.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { claimNode, type NodeClaim } from '../../src/nodeClaim.ts'
import { byTest, steppingClock } from './projectionsGiven.ts'

const clock = steppingClock()
const claim = (log: NodeClaim['log'], instance: string, takeOver = false) =>
  claimNode({ log, stamp: stamper('gw', () => clock.now()), cause: byTest, node: 'gw', instance, takeOver })
const ownersIn = async (log: EventLog) =>
  (await log.readStream(nodeStream('gw'), 0, 10)).map(({ data }) => 'instance' in data && data.instance)
const refused = (work: Promise<void>) =>
  work.then(
    () => 'done',
    (error: unknown) => String(error),
  )

test('a name belongs to the data directory that has claimed it, however often that starts', async () => {
  const log = memoryLog({ clock })
  await claim(log, 'a')
  await claim(log, 'a')
  assert.match(await refused(claim(log, 'b')), /belongs to another data directory/)
  assert.equal(await ownersIn(log), ['a'])
})

test('a name that is taken over belongs to the new directory, and the old one is refused', async () => {
  const log = memoryLog({ clock })
  await claim(log, 'a')
  await claim(log, 'b', true)
  assert.match(await refused(claim(log, 'a')), /belongs to another data directory/)
  assert.equal(await ownersIn(log), ['a', 'b'])
})

test('of two directories that claim a name at once one gets it', async () => {
  const log = memoryLog({ clock })
  const both = await Promise.all([refused(claim(log, 'a')), refused(claim(log, 'b'))])
  assert.is(both.filter((one) => one === 'done').length, 1)
  assert.is((await ownersIn(log)).length, 1)
})

test.run()
