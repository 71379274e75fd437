import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { GatewayError } from '../../src/core/errors.ts'
import { eventStoreDbLog } from '../../src/log/eventStoreDb.ts'
import { scratchStore } from '../support/scratchStore.ts'
import { testCertificate } from '../wire/testCertificate.ts'
import { appendOf, everything, failure, numberIn } from './eventLogContract.ts'

const test = suite("EventStoreDB's protocol, over a double of it, with TLS")

const directory = mkdtempSync(join(tmpdir(), 'sealpost-tls-'))
const caFile = join(directory, 'ca.pem')
const tls = await testCertificate()
writeFileSync(caFile, tls.cert)
test.after(() => rmSync(directory, { recursive: true }))

const credentials = { user: 'seal/post', password: 'p@ss:wörd' }
const login = `${encodeURIComponent(credentials.user)}:${encodeURIComponent(credentials.password)}`
const urlOf = (port: number, who: string, scheme = 'esdb') =>
  `${scheme}://${who}@localhost:${port}?tls=true&tlsCAFile=${encodeURIComponent(caFile)}`

test('with TLS and credentials the log is written and read, found by discovery or not', async () => {
  const leader = await scratchStore({ tls, credentials })
  // Asked for the cluster, it names the other one.
  const seed = await scratchStore({ tls, credentials, leaderPort: leader.double().port })
  for (const [index, url] of [
    urlOf(leader.double().port, login),
    urlOf(seed.double().port, login, 'esdb+discover'),
  ].entries()) {
    const log = eventStoreDbLog({ url })
    await log.append(appendOf('gateway-a', 'any', [index]))
    assert.equal((await everything(log)).map(numberIn), [0, 1].slice(0, index + 1))
    await log.close()
  }
  assert.is(seed.double().calls('Append'), 0)
  await seed.remove()
  await leader.remove()
})

test('a wrong password and a certificate that is not trusted are told apart, and nothing is written', async () => {
  const store = await scratchStore({ tls, credentials })
  const { port } = store.double()
  const stranger = eventStoreDbLog({ url: urlOf(port, 'admin:changeit') })
  assert.is(await failure(stranger.head()), 'start-refused')
  await stranger.head().catch((error: unknown) => assert.match((error as Error).message, /user and password right/))
  assert.is(await failure(stranger.append(appendOf('gateway-a', 'any', [1]))), 'not-written')
  await stranger.close()
  const patience = { request: 300, append: 600, unsent: 300, pause: 10 }
  const distrustful = eventStoreDbLog({ url: `esdb://${login}@localhost:${port}?tls=true`, patience })
  assert.is(await failure(distrustful.head()), 'storage-failed')
  assert.is(await failure(distrustful.append(appendOf('gateway-a', 'any', [1]))), 'not-written')
  await distrustful.close()
  await store.remove()
})

test('a certificate file that is not there is said at the start', () => {
  assert.throws(
    () => eventStoreDbLog({ url: `esdb://127.0.0.1:2113?tls=true&tlsCAFile=${join(directory, 'none.pem')}` }),
    (error: GatewayError) => error.code === 'start-refused' && error.message.includes('File was not found'),
  )
})

test.run()
