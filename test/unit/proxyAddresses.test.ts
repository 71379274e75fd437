import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { addressPolicy } from '../../src/proxy/addresses.ts'

const test = suite('addresses that may be dialled')

const policy = (networks: readonly string[] = [], ownPorts: readonly number[] = [2525, 2995]) =>
  addressPolicy({
    networks,
    ownAddresses: () => ['127.0.0.1', '::1', '8.8.4.4', '2a00:1450::5', '10.0.0.5'],
    ownPorts: () => ownPorts,
  })

for (const [what, ...addresses] of [
  ['unspecified', '0.0.0.0', '::', '0.1.2.3'],
  ['loopback', '127.0.0.1', '127.255.255.254', '::1'],
  ['private', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
  ['shared by a carrier', '100.64.0.1', '100.127.255.255'],
  ['link-local', '169.254.169.254', 'fe80::1', 'fe80::1%eth0', 'febf::1'],
  ['unique-local', 'fc00::1', 'fd12:3456::1'],
  ['multicast or broadcast', '224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1'],
  ['reserved', '240.0.0.1', '192.0.0.8', '198.18.0.1', '192.88.99.1', '100::1', '4000::1', 'fec0::1'],
  ['documentation', '192.0.2.1', '198.51.100.1', '203.0.113.1', '2001:db8::1', '3fff::1'],
  [
    'mapped',
    '::ffff:127.0.0.1',
    '::ffff:a00:1',
    '::FFFF:192.168.1.1',
    '0:0:0:0:0:ffff:7f00:1',
    '::ffff:169.254.169.254',
  ],
  ['compatible', '::127.0.0.1', '::a00:1', '::8.8.8.8'],
  [
    'translated',
    '64:ff9b::127.0.0.1',
    '64:ff9b::a00:1',
    '64:ff9b::',
    '64:ff9b::1',
    '64:ff9b:1::8.8.8.8',
    '64:ff9b:0:0:0:1::1',
  ],
  ['tunnelled', '2002:7f00:1::1', '2002:808:808::1', '2001:0:7f00:1::1', '2001::1'],
  ["this machine's", '8.8.4.4', '2a00:1450::5', '::ffff:8.8.4.4', '64:ff9b::8.8.4.4'],
  ['no', '', 'localhost', '1.2.3', '1.2.3.4.5', '08.8.8.8', '0x7f.1', '2130706433', '[::1]', '127.0.0.1\n', ':::'],
] as const)
  test(`${what} addresses are not dialled`, () => {
    for (const address of addresses) assert.not(policy().allows(address, 995), address)
  })

test('public addresses are dialled, also where they are mapped or translated', () => {
  for (const address of [
    ...['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2a00:1450:4001::1', '2606:4700::1'],
    ...['::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '64:ff9b::808:808'],
  ])
    assert.ok(policy().allows(address, 995), address)
})

test('a network that is listed is dialled, however its addresses are written, and no other', () => {
  const listed = policy(['10.1.0.0/16', 'fd00::/8', '127.0.0.0/8'])
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '64:ff9b::a01:203', 'fd12::1', '127.0.0.1'])
    assert.ok(listed.allows(address, 995), address)
  for (const address of ['10.2.0.1', '192.168.1.1', 'fe80::1', '::1']) assert.not(listed.allows(address, 995), address)
})

test('what this gateway listens on is never dialled, even if everything is listed', () => {
  const all = policy(['0.0.0.0/0', '::/0'])
  for (const address of [
    '127.0.0.1',
    '127.9.9.9',
    '0.0.0.0',
    '::1',
    '::',
    '::ffff:127.0.0.1',
    '8.8.4.4',
    '10.0.0.5',
    '::ffff:a00:5',
    '2a00:1450::5',
  ]) {
    assert.not(all.allows(address, 2995), address)
    assert.ok(all.allows(address, 995), address)
  }
  assert.ok(all.allows('10.0.0.6', 2995))
})

test.run()
