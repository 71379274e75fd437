import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseProxyHeader } from '../../src/wire/proxyHeader.ts'
import { binaryHeader, inet, inet6 } from '../support/proxyHeaders.ts'

const longest = `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`

const lines: Readonly<Record<string, string | undefined>> = {
  'PROXY TCP4 192.0.2.7 198.51.100.1 56324 25\r\n': '192.0.2.7',
  'PROXY TCP4 255.255.255.255 0.0.0.0 0 65535\r\n': '255.255.255.255',
  'PROXY TCP6 2001:DB8:0::7 2001:db8::1 56324 25\r\n': '2001:db8::7',
  'PROXY TCP6 ::ffff:192.0.2.7 ::1 56324 25\r\n': '192.0.2.7',
  'PROXY TCP6 ::ffff:c000:207 ::1 56324 25\r\n': '192.0.2.7',
  'PROXY UNKNOWN\r\n': undefined,
  'PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n': undefined,
  [longest]: Array(8).fill('ffff').join(':'),
}

for (const [line, source] of Object.entries(lines))
  test(`${JSON.stringify(line)} names ${source ?? 'nobody'}`, () => {
    const octets = Buffer.from(line)
    for (const behind of ['', 'EHLO x\r\n', '\r\n\r\n', 'PROXY TCP4 203.0.113.9 203.0.113.9 1 1\r\n'])
      assert.equal(parseProxyHeader(Buffer.concat([octets, Buffer.from(behind)])), {
        is: 'header',
        source,
        length: octets.length,
      })
  })

for (const line of [
  ...['EHLO client.example\r\n', 'proxy TCP4 192.0.2.7 192.0.2.8 1 2\r\n', '\x16\x03\x01', ' ', '\n', '\r\n\r\n\r\n'],
  ...['PROXY  TCP4 192.0.2.7 192.0.2.8 1 2\r\n', 'PROXY TCP4 192.0.2.7 192.0.2.8 1 2 \r\n', 'PROXY\r\n', 'PROXY \r\n'],
  ...['PROXY TCP5 192.0.2.7 192.0.2.8 1 2\r\n', 'PROXY TCP4 192.0.2.7 192.0.2.8 1\r\n', 'PROXY UNKNOWNS\r\n'],
  ...['PROXY TCP4 192.0.2.7 192.0.2.8 1 65536\r\n', 'PROXY TCP4 192.0.2.7 192.0.2.8 01 2\r\n'],
  ...['PROXY TCP4 192.0.2.256 192.0.2.8 1 2\r\n', 'PROXY TCP4 192.0.2.07 192.0.2.8 1 2\r\n'],
  ...['PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n', 'PROXY TCP6 192.0.2.7 192.0.2.8 1 2\r\n'],
  ...['PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n', 'PROXY TCP4 192.0.2.7 example.net 1 2\r\n'],
  ...['PROXY TCP4 192.0.2.7 192.0.2.8 1 2\nEHLO x\r\n', 'PROXY TCP4 192.0.2.7\0 192.0.2.8 1 2\r\n'],
  ...[`PROXY UNKNOWN ${'x'.repeat(92)}\r\n`, `PROXY UNKNOWN ${'x'.repeat(200)}`],
])
  test(`${JSON.stringify(line)} is no header`, () => {
    assert.equal(parseProxyHeader(Buffer.from(line, 'latin1')), { is: 'invalid' })
  })

const ipv6 = '20010db8000000000000000000000007'
const additions = Buffer.from('03000412345678', 'hex')
const binaries: readonly (readonly [string, Buffer, string | undefined])[] = [
  ['IPv4', binaryHeader(0x21, 0x11, inet('192.0.2.7')), '192.0.2.7'],
  ['IPv4 with additions', binaryHeader(0x21, 0x11, inet('192.0.2.7'), additions), '192.0.2.7'],
  ['IPv6', binaryHeader(0x21, 0x21, inet6(ipv6)), '2001:db8::7'],
  ['IPv4 mapped into IPv6', binaryHeader(0x21, 0x21, inet6(`${'0'.repeat(20)}ffffc0000207`)), '192.0.2.7'],
  ['LOCAL', binaryHeader(0x20, 0x00), undefined],
  ['LOCAL with addresses', binaryHeader(0x20, 0x11, inet('192.0.2.7')), undefined],
  ['LOCAL of no known family', binaryHeader(0x20, 0xff, additions), undefined],
  ['no family', binaryHeader(0x21, 0x00, additions), undefined],
  ['a UNIX socket', binaryHeader(0x21, 0x31, Buffer.alloc(216)), undefined],
  ['the longest', binaryHeader(0x21, 0x11, inet('192.0.2.7'), Buffer.alloc(4096 - 28)), '192.0.2.7'],
]

for (const [what, octets, source] of binaries)
  test(`version 2, ${what}, names ${source ?? 'nobody'}`, () => {
    for (const behind of ['', 'EHLO x\r\n'])
      assert.equal(parseProxyHeader(Buffer.concat([octets, Buffer.from(behind)])), {
        is: 'header',
        source,
        length: octets.length,
      })
  })

for (const [what, octets] of [
  ['version 1', binaryHeader(0x11, 0x11, inet('192.0.2.7'))],
  ['version 3', binaryHeader(0x31, 0x11, inet('192.0.2.7'))],
  ['no known command', binaryHeader(0x22, 0x11, inet('192.0.2.7'))],
  ['datagrams', binaryHeader(0x21, 0x12, inet('192.0.2.7'))],
  ['no known family', binaryHeader(0x21, 0x41, inet('192.0.2.7'))],
  ['too short for its addresses', binaryHeader(0x21, 0x11, inet('192.0.2.7').subarray(1))],
  ['IPv6 with addresses of IPv4', binaryHeader(0x21, 0x21, inet('192.0.2.7'))],
  ['longer than the bound', binaryHeader(0x21, 0x11, inet('192.0.2.7'), Buffer.alloc(4096 - 27))],
] as const)
  test(`version 2, ${what}, is no header`, () => {
    assert.equal(parseProxyHeader(octets), { is: 'invalid' })
  })

test('a header is partial until its last octet, and is known to be none as early as can be', () => {
  for (const octets of [
    ...Object.keys(lines).map((line) => Buffer.from(line)),
    ...binaries.map(([, octets]) => octets),
  ])
    for (let length = 0; length < octets.length; length += 1)
      assert.equal(parseProxyHeader(octets.subarray(0, length)), { is: 'partial' }, `${length} octets`)
  assert.equal(parseProxyHeader(binaryHeader(0x31, 0x11).subarray(0, 13)), { is: 'invalid' })
  assert.equal(parseProxyHeader(Buffer.from('PROXX')), { is: 'invalid' })
})

test.run()
