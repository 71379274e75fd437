import { randomUUID } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { administratorLogin } from '../../src/access/administratorLogin.ts'
import { openAccess } from '../../src/access/openAccess.ts'
import { type Cause, stamper } from '../../src/core/events.ts'
import { Secret } from '../../src/core/secret.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { codeOf } from '../support/codeOf.ts'
import { memoryKeys } from '../support/memoryKeys.ts'

const cause: Cause = { principal: 'local:root', correlationId: randomUUID(), causationId: randomUUID() }
const silent = () => undefined
const [office, journey] = ['192.0.2.1', '203.0.113.7']

const given = () => {
  let now = Date.UTC(2026, 0, 1)
  const clock = { now: () => new Date(now) }
  const access = openAccess({
    log: memoryLog({ clock }),
    keys: memoryKeys().keys,
    stamp: stamper('one', clock.now),
    clock,
    logger: { info: silent, warn: silent, error: silent },
    refused: silent,
    firstPasswordFile: '/nonexistent/admin.password',
  })
  const login = (password: Secret, source: string) => codeOf(access.login({ name: 'anna', password, source }))
  let strangers = 0
  return {
    access,
    login,
    /** Somebody without the password is always there first. */
    polled: async () => {
      for (let count = 0; count < 3; count++) {
        await login(new Secret('some guess'), `198.51.100.${++strangers}`)
        now += 10
      }
    },
    later: () => new Date(now + 60_000),
  }
}

test('whoever polls a name keeps its owner out where he is new, but not where he logged in, nor once his password is reset', async () => {
  const { access, login, polled, later } = given()
  const { password } = await access.administrators.add({ name: 'anna', role: 'admin' }, later(), cause)
  const anna = await access.login({ name: 'anna', password, source: office })
  const own = new Secret('four plain words joined')
  await access.administrators.change(anna, own, cause)
  await polled()
  assert.is(await login(own, journey), 'too-many-attempts')
  assert.is(await login(own, office), undefined)
  const reset = await access.administrators.reset('anna', later(), cause)
  await polled()
  assert.is(await login(reset.password, journey), undefined)
  await polled()
  assert.is(await login(reset.password, journey), undefined)
})

test('a password for once is as hard to guess from one address as any other', async () => {
  const { access, login, later } = given()
  await access.administrators.add({ name: 'anna', role: 'admin' }, later(), cause)
  const guess = new Secret('some guess')
  assert.equal([await login(guess, journey), await login(guess, journey)], ['password-wrong', 'too-many-attempts'])
})

test('who logged in lately from where he is does not wait behind strangers', async () => {
  const turns: string[] = []
  const nobody = { name: 'anna', role: 'admin', credential: 'c', oneTimeUntil: undefined } as const
  const login = administratorLogin({
    administrators: {
      of: () => Promise.resolve(nobody),
      verify: (_, password, turn) => {
        turns.push(turn)
        return Promise.resolve(password.reveal() === 'right' ? nobody : undefined)
      },
    },
    clock: { now: () => new Date() },
    refused: silent,
  })
  await login({ name: 'anna', password: new Secret('right'), source: office })
  await login({ name: 'ANNA', password: new Secret('right'), source: office })
  await login({ name: 'anna', password: new Secret('right'), source: journey })
  assert.equal(turns, ['anyone', 'known', 'anyone'])
})

test.run()
