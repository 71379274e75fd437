import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { policyRecord, policyText } from '../../src/tls/mtaSts.ts'

const test = suite('MTA-STS')
type Config = Parameters<typeof policyText>[0]
const config = (mtaSts: Partial<Config['mtaSts']> = {}): Config => ({
  gateway: { domain: 'example.com', data: '/data', node: 'one', loadBalancers: [], logLevel: 'info' },
  mtaSts: { host: '::', port: 443, mode: 'enforce', mx: [], maxAge: 604_800, ...mtaSts },
})

test('the policy names the mode, the hosts and its age, a line each', () => {
  assert.is(policyText(config()), 'version: STSv1\r\nmode: enforce\r\nmx: example.com\r\nmax_age: 604800\r\n')
  assert.match(
    policyText(config({ mx: ['a.example.com', 'b.example.com'] })),
    /mx: a\.example\.com\r\nmx: b\.example\.com\r\n/,
  )
})

test('its record has an id that changes with the policy, and with nothing else', () => {
  const id = policyRecord(config())
  // RFC 8461 §3.1: 1 to 32 letters and digits.
  assert.match(id, /^v=STSv1; id=[A-Za-z0-9]{1,32};$/)
  assert.is(policyRecord(config({ port: 8443, host: '127.0.0.1' })), id)
  for (const changed of [{ mode: 'testing' as const }, { mx: ['mx.example.com'] }, { maxAge: 1 }])
    assert.is.not(policyRecord(config(changed)), id)
})

test.run()
