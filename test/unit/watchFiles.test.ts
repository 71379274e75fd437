import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { watchFiles } from '../../src/tls/watchFiles.ts'
import { until } from '../support/until.ts'

const test = suite('watched files')
const directory = mkdtempSync(join(tmpdir(), 'sealpost-'))
const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
test.after(() => rmSync(directory, { recursive: true }))

test('every change is told once, a replacement of the same size and time too, and none while there is none', async () => {
  writeFileSync(cert, 'a')
  let told = 0
  const watch = await watchFiles(() => [cert, key], 5)
  const changed = (count: number) => until(() => told >= count, () => `${count} changes are told, but ${told}`) // prettier-ignore
  // Before it is started: told all the same.
  writeFileSync(key, 'a')
  watch.start(() => Promise.resolve(told++))
  await changed(1)
  writeFileSync(`${cert}.new`, 'b')
  renameSync(`${cert}.new`, cert)
  await changed(2)
  rmSync(key)
  await changed(3)
  await delay(30)
  assert.is(told, 3)
  watch.close()
  writeFileSync(cert, 'longer')
  await delay(30)
  assert.is(told, 3)
})

test.run()
