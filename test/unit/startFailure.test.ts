import { writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { placesOf } from '../../src/dataDirectory.ts'
import { asStartFailure } from '../../src/gateway/startFailure.ts'

const test = suite('failures of a start')

const config = { gateway: { data: '/data' }, vault: { dir: '/mnt/vault' }, keys: {} }
const told = (error: unknown) => asStartFailure(error, { data: '/data', ...placesOf(config as never) })
const thrownBy = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return error
  }
}
const sentence = (error: unknown) => {
  const failure = told(error)
  assert.instance(failure, GatewayError)
  assert.is((failure as GatewayError).code, 'start-refused')
  return (failure as GatewayError).detail ?? ''
}

test('a full disk is one sentence that names the places, whoever met it', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
  const database = new DatabaseSync(':memory:')
  database.exec('pragma max_page_count = 1')
  const ofSqlite = thrownBy(() => database.exec('create table one (a)'))
  for (const error of [full, ofSqlite, new GatewayError('storage-full', { cause: full })])
    assert.match(
      sentence(error),
      /^There is no room on the disk of the data directory \/data, of the vault \/mnt\/vault or/,
    )
})

test('any other failure of the system says what the system says, without a stack', () => {
  const missing = thrownBy(() => writeFileSync('/nowhere/at/all', ''))
  assert.is(sentence(missing), "The gateway cannot start: ENOENT: no such file or directory, open '/nowhere/at/all'.")
})

test('a failure with a sentence of its own keeps it, and a defect stays a defect', () => {
  const own = new GatewayError('start-refused', { detail: 'This is why.' })
  const defect = new TypeError('undefined is not a function')
  for (const error of [own, defect, new GatewayError('shutting-down')]) assert.is(told(error), error)
})

test.run()
