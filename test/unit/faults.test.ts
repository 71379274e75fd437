import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { faults } from '../torture/faults.ts'
import { cellsOf, document } from '../torture/table.ts'

const test = suite('faults')

test('the documentation says of every fault what is done, and what may become of the gateway', () => {
  const lines = readFileSync(document, 'utf8').split('\n')
  const missing = faults.map(cellsOf).filter((cells) => !lines.some((line) => line.startsWith(cells)))
  assert.equal(missing, [], 'npm run torture -- --table writes it')
  assert.is(lines.filter((line) => line.startsWith('| ')).length, faults.length + 1)
})

test.run()
