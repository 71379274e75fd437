import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { watchFiles } from '../../src/tls/watchFiles.ts'

const test = suite('watched files')
const directory = mkdtempSync(join(tmpdir(), 'sealpost-'))
const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
test.after(() => rmSync(directory, { recursive: true }))

test('every change is told once, a replacement of the same size and time too, and none while there is none', async () => {
  writeFileSync(cert, 'a')
  let told = 0
  const watch = await watchFiles(() => [cert, key], 5)
  const until = async (count: number) => {
    for (let tries = 0; told < count; tries++) {
      assert.ok(tries < 400, `only ${told} changes were told`)
      await delay(5)
    }
  }
  // Before it is started: told all the same.
  writeFileSync(key, 'a')
  watch.start(() => Promise.resolve(told++))
  await until(1)
  writeFileSync(`${cert}.new`, 'b')
  renameSync(`${cert}.new`, cert)
  await until(2)
  rmSync(key)
  await until(3)
  await delay(30)
  assert.is(told, 3)
  watch.close()
  writeFileSync(cert, 'longer')
  await delay(30)
  assert.is(told, 3)
})

test.run()
