import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../src/core/ports.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { everything, numberIn } from '../contract/eventLogContract.ts'

const test = suite('sqlite log, killed')
const child = fileURLToPath(new URL('logCrashChild.ts', import.meta.url))

type Acknowledged = { readonly number: number; readonly size: number; readonly position: string }

/** Runs a writer, kills it some time after its first acknowledgement, and returns what it had acknowledged. */
const killedWriter = async (file: string, first: number): Promise<readonly Acknowledged[]> => {
  const writer = spawn(process.execPath, [child, file, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  writer.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
  const closed = once(writer, 'close')
  await Promise.race([once(writer.stdout, 'data'), closed])
  await setTimeout(Math.random() * 150)
  writer.kill('SIGKILL')
  await closed
  // A line may have been cut off by the kill.
  const lines = printed.slice(0, printed.lastIndexOf('\n')).split('\n')
  return lines.map((line) => {
    const [number, size, position = ''] = line.split(' ')
    return { number: Number(number), size: Number(size), position }
  })
}

test('every acknowledged append is there whole after the writer was killed, in order, and none is torn', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sealpost-crash-'))
  const file = join(directory, 'events.db')
  const acknowledged: Acknowledged[] = []
  for (let round = 0; round < 5; round++) {
    const first = round * 1_000_000
    const before = acknowledged.length
    acknowledged.push(...(await killedWriter(file, first)))
    assert.ok(acknowledged.length > before, 'the writer wrote')
    const log = sqliteLog({ file, clock: systemClock })
    const events = await everything(log)
    await log.close()

    const byPosition = new Map(events.map((event) => [event.position as string, event]))
    for (const { number, size, position } of acknowledged) {
      const last = byPosition.get(position)
      assert.equal([last?.stream, last?.revision], [`gateway-${number}`, size - 1])
    }
    const sizes = Map.groupBy(events, ({ stream }) => stream)
    for (const [stream, ofStream] of sizes) {
      const number = Number(stream.slice('gateway-'.length))
      assert.equal(ofStream.map(numberIn), Array<number>(1 + (number % 5)).fill(number))
    }
    assert.equal(
      events.map(({ position }) => Number(position)),
      events.map((_, index) => index + 1),
    )
  }
  rmSync(directory, { recursive: true })
})

test.run()
