import { X509Certificate } from 'node:crypto'
import { createServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Clock, KeyStore } from '../../src/core/ports.ts'
import { type Acme, startAcme } from '../../src/tls/acme/startAcme.ts'
import { acmeStore } from '../../src/tls/acme/store.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { peerTest } from '../support/peers.ts'
import { type Pebble, pebble } from '../support/pebble.ts'
import { until } from '../support/until.ts'

const test = suite('ACME')
const peers = ['pebble', 'pebble-challtestsrv']
const names = ['gateway.test', 'mta-sts.gateway.test']
const minute = 60_000

type Gateway = Acme & {
  readonly shown: string[]
  readonly outcomes: string[]
  readonly said: { readonly text: string; readonly reason?: string }[]
}

type Options = {
  readonly keys: KeyStore
  readonly clock?: Clock
  readonly port?: number
  readonly node?: string
  readonly names?: readonly string[]
  readonly caFile?: string
  readonly email?: string
}

/** What a gateway does about its certificate, without the rest of it. */
const gatewayAt = async (authority: Pebble, options: Options): Promise<Gateway> => {
  const { keys, clock = { now: () => new Date() }, port = authority.httpPort, node = 'one' } = options
  const shown: string[] = []
  const outcomes: string[] = []
  const said: Gateway['said'] = []
  const say = (fields: object, text: string) => void said.push({ ...fields, text })
  const { directory, caFile } = authority
  const acme = await startAcme({
    settings: { host: '127.0.0.1', port, directory, terms: 'agreed', email: options.email, names: [], caFile: options.caFile ?? caFile }, // prettier-ignore
    names: options.names ?? names,
    keys,
    clock,
    node,
    counted: (outcome) => outcomes.push(outcome),
    isShown: (fingerprint) => shown.at(-1) === fingerprint,
    show: async () => {
      const { certificate } = await acmeStore(keys, directory).newest()
      if (certificate) shown.push(certificate.fingerprint)
    },
    logger: { info: say, warn: say, error: say },
  })
  return { ...acme, shown, outcomes, said }
}

/** A moment in which what would be done at once has been done. */
const aMoment = () => delay(150)

let authority: Pebble
test.before(async () => {
  authority = await pebble()
  await authority.start()
})
test.after(() => authority.remove())

peerTest(
  test,
  peers,
  'the first order brings one certificate for all names, of the authority, with a key of its own',
  async () => {
    const { keys, values } = memoryKeys()
    const gateway = await gatewayAt(authority, { keys })
    await until(() => gateway.shown.length > 0, 'a certificate')
    await gateway.close()
    const { certificate } = await acmeStore(keys, authority.directory).newest()
    assert.equal(certificate?.names.toSorted(), names)
    assert.equal(gateway.outcomes, ['issued'])
    const [leaf, issuer] = (certificate?.cert.match(/-----BEGIN[^]*?END CERTIFICATE-----/g) ?? []).map((pem) => new X509Certificate(pem)) // prettier-ignore
    assert.ok(leaf && issuer && leaf.verify(issuer.publicKey))
    assert.ok(issuer.verify(new X509Certificate(await authority.root()).publicKey))
    assert.equal([...values.keys()].filter((name) => name.includes('challenge')), []) // prettier-ignore
    const accountKey = [...values].find(([name]) => name.endsWith('account.pem'))?.[1]
    assert.ok(
      accountKey &&
        !Buffer.from(accountKey)
          .toString()
          .includes(certificate?.key.split('\n')[1] ?? '-'),
    )
  },
)

peerTest(
  test,
  peers,
  'a restart orders nothing; further names and a third of life left do, with the same account',
  async () => {
    const { keys, values } = memoryKeys()
    let now = Date.now()
    const clock = { now: () => new Date(now) }
    const first = await gatewayAt(authority, { keys, clock, names: names.slice(0, 1) })
    await until(() => first.shown.length > 0, 'a certificate')
    await first.close()
    const again = await gatewayAt(authority, { keys, clock, names: names.slice(0, 1) })
    await aMoment()
    assert.equal([again.outcomes, again.shown], [[], first.shown])
    await again.close()
    now += 11 * minute
    const more = await gatewayAt(authority, { keys, clock })
    await until(() => more.outcomes.length > 0, 'a certificate of both names')
    await more.close()
    now += 57 * 1440 * minute
    const early = await gatewayAt(authority, { keys, clock })
    await aMoment()
    assert.equal(early.outcomes, [])
    await early.close()
    now += 3 * 1440 * minute + 30 * minute
    const late = await gatewayAt(authority, { keys, clock, email: 'postmaster@gateway.test' })
    await until(() => late.outcomes.length > 0, 'its renewal')
    await late.close()
    assert.is(new Set([...first.shown, ...more.shown, ...late.shown]).size, 3)
    assert.is([...values.keys()].filter((name) => name.endsWith('account.pem')).length, 1)
    assert.is([...values.keys()].filter((name) => name.includes('/certificate-')).length, 2)
  },
)

peerTest(
  test,
  peers,
  'of gateways that share the key store one orders, another may be asked, and both show it',
  async () => {
    const { keys } = memoryKeys()
    // The authority asks the first, which may not be the one that has ordered.
    const gateways = await Promise.all([
      gatewayAt(authority, { keys, node: 'one' }),
      gatewayAt(authority, { keys, node: 'two', port: 0 }),
    ])
    await until(() => gateways.some(({ shown }) => shown.length > 0), 'a certificate')
    await Promise.all(gateways.map(({ close }) => close()))
    assert.equal(gateways.flatMap(({ outcomes }) => outcomes), ['issued']) // prettier-ignore
    const second = await gatewayAt(authority, { keys, node: 'three', port: 0 })
    await until(() => second.shown.length > 0, 'the same certificate')
    assert.equal(second.outcomes, [])
    await second.close()
  },
)

peerTest(
  test,
  peers,
  'an answer that is not the gateway’s is no proof: nothing is shown, and the reason is said',
  async () => {
    const impostor = createServer((_, response) => response.end('nothing.that-fits'))
    await new Promise<void>((resolve) => impostor.listen(authority.httpPort, '127.0.0.1', resolve))
    const gateway = await gatewayAt(authority, { keys: memoryKeys().keys, port: 0 })
    await until(() => gateway.outcomes.length > 0, 'a failure')
    assert.equal([gateway.outcomes, gateway.shown], [['failed'], []])
    await until(
      () => gateway.said.some(({ reason }) => /gateway\.test was not proven: .*key authorization/i.test(reason ?? '')),
      'what was wrong',
    )
    await gateway.close()
    await new Promise((resolve) => impostor.close(resolve))
  },
)

peerTest(
  test,
  peers,
  'after a failure nothing is tried too soon, not even by a restart, then it is tried again',
  async () => {
    const { keys } = memoryKeys()
    let now = Date.now()
    const clock = { now: () => new Date(now) }
    const away = await pebble()
    const first = await gatewayAt(away, { keys, clock })
    await until(() => first.said.some(({ reason }) => /ECONNREFUSED/.test(reason ?? '')), 'a failure')
    await first.close()
    await away.start()
    now += 2 * minute
    const soon = await gatewayAt(away, { keys, clock })
    await aMoment()
    assert.equal([soon.outcomes, soon.shown], [[], []])
    await soon.close()
    now += 2 * minute
    const later = await gatewayAt(away, { keys, clock })
    await until(() => later.shown.length > 0, 'a certificate')
    assert.equal(later.outcomes, ['issued'])
    await later.close()
    await away.remove()
  },
)

peerTest(test, peers, 'an authority whose own certificate nobody vouches for is not asked', async () => {
  const other = await pebble()
  const gateway = await gatewayAt(authority, { keys: memoryKeys().keys, caFile: other.caFile })
  await until(() => gateway.outcomes.length > 0, 'a failure')
  await until(() => gateway.said.some(({ reason }) => /certificate/.test(reason ?? '')), 'the reason')
  assert.equal(gateway.outcomes, ['failed'])
  await gateway.close()
  await other.remove()
})

test.run()
