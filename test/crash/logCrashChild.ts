import { newCommandId } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/ports.ts'
import { sqliteLog } from '../../src/log/sqlite.ts'
import { appendOf } from '../contract/eventLogContract.ts'

/** Appends without end, twenty at a time, and prints `<number> <events> <position>` for each that was acknowledged. */
const [file = '', first = ''] = process.argv.slice(2)
const log = sqliteLog({ file, clock: systemClock })
for (let n = Number(first); ; n += 20) {
  const appends = Array.from({ length: 20 }, async (_, i) => {
    const size = 1 + ((n + i) % 5)
    const append = appendOf(`gateway-${n + i}`, 'no-stream', Array<number>(size).fill(n + i), newCommandId())
    const { position } = await log.append(append)
    process.stdout.write(`${n + i} ${size} ${position}\n`)
  })
  await Promise.all(appends)
}
