import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { apiOf } from '../support/apiClient.ts'
import { eventsOf } from '../support/roundTrip.ts'
import { startTestGateway } from '../support/testGateway.ts'

const test = suite('the first administrator of a running gateway')
const first = await startTestGateway()
const { data, ports } = first
const file = join(data, 'admin.password')
const started = { gateway: first }
const current = { password: '' }

test.after(async () => {
  await started.gateway.stop()
  started.gateway.remove()
})

const day = 86_400_000
const own = 'seven tall lamps by night'
const api = apiOf(first)
const login = (password: string, from = '127.0.0.1') =>
  api('POST', '/v1/session', { from, body: { name: 'admin', password } })
type Given = { readonly name: string; readonly password: string; readonly oneTimeUntil: string }
const reset = async () => JSON.parse(await started.gateway.command('admin', 'reset', '--json')) as Given
const daysUntil = (text: string) => (Date.parse(text) - Date.now()) / day

test('the first start leaves a password in a file that only its owner may read, for a day', async () => {
  assert.is(statSync(file).mode & 0o777, 0o600)
  const { administrators } = JSON.parse(await first.command('admin', 'list', '--json')) as {
    readonly administrators: readonly { readonly name: string; readonly oneTimeUntil: string }[]
  }
  assert.equal(
    administrators.map(({ name }) => name),
    ['admin'],
  )
  const days = daysUntil(administrators[0]?.oneTimeUntil ?? '')
  assert.ok(days > 0.99 && days <= 1, `${days} days`)
  assert.not.match(first.output(), readFileSync(file, 'utf8').trim())
})

test('a reset on a running gateway makes that file useless and takes it away: the new password works for a week', async () => {
  const before = readFileSync(file, 'utf8').trim()
  const { name, password, oneTimeUntil } = await reset()
  assert.is(name, 'admin')
  assert.ok(daysUntil(oneTimeUntil) > 6.99 && daysUntil(oneTimeUntil) <= 7, oneTimeUntil)
  assert.not.ok(existsSync(file))
  current.password = password
  assert.is((await login(password)).status, 201)
  assert.is((await login(before, '127.0.0.2')).code, 'password-wrong')
})

test('a password for once opens nothing but its own change', async () => {
  const { status, cookie } = await login(current.password)
  assert.is(status, 201)
  assert.is((await api('GET', '/v1/mailboxes', { cookie })).code, 'password-must-change')
  const body = { oldPassword: current.password, newPassword: own }
  assert.is((await api('PUT', '/v1/session/password', { cookie, body })).status, 204)
  assert.is((await api('GET', '/v1/mailboxes', { cookie })).status, 200)
  assert.is((await login(own)).status, 201)
  await reset()
  assert.is((await api('GET', '/v1/session', { cookie })).code, 'not-authorized', 'a reset ends the sessions')
})

test('a reset while the gateway is stopped does the same', async () => {
  await first.stop()
  writeFileSync(file, 'of no use')
  const { password, oneTimeUntil } = await reset()
  assert.ok(daysUntil(oneTimeUntil) > 6.99 && daysUntil(oneTimeUntil) <= 7, oneTimeUntil)
  assert.not.ok(existsSync(file))
  // As it stays where another gateway on the same log has changed the password.
  writeFileSync(file, 'of no use')
  started.gateway = await startTestGateway({ data, ports })
  assert.not.ok(existsSync(file))
  const { status, cookie } = await login(password)
  assert.is(status, 201)
  assert.is((await api('GET', '/v1/mailboxes', { cookie })).code, 'password-must-change')
  const changes = await eventsOf(started.gateway, '--type', 'AdministratorPasswordChanged')
  const principals = changes.map(({ metadata }) => metadata.principal)
  const [local = ''] = principals
  assert.match(local, /^local:/)
  assert.equal(principals, [local, 'administrator:admin', local, local])
})

test.run()
