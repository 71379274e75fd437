import fc from 'fast-check'
import { isIP } from 'node:net'
import * as assert from 'uvu/assert'
import { parseProxyHeader, type ProxyHeader } from '../../src/wire/proxyHeader.ts'
import { bufferOf, eitherOf, sentence, spoilt, wordOf } from './octets.ts'
import { target } from './target.ts'

const address = wordOf(
  '192.0.2.1',
  '255.255.255.255',
  '2001:db8::1',
  '::ffff:192.0.2.1',
  '::',
  '01.2.3.4',
  'fe80::1%eth0',
  '',
)
const port = wordOf('0', '25', '65535', '65536', '025', '')
const line = sentence('PROXY $ $ $ $ $\r\n', wordOf('TCP4', 'TCP6', 'UNKNOWN', 'UDP4'), address, address, port, port)
const signature = '\r\n\r\n\0\r\nQUIT\n'
const binary = sentence(
  `${signature}$$$$`,
  wordOf('\x20', '\x21', '\x22', '\x11'),
  wordOf('\x00', '\x11', '\x21', '\x31', '\x12'),
  wordOf('\0\0', '\0\x0c', '\0\x24', '\0\xd8', '\x0f\xf0', '\xff\xff', '\0\x0b'),
  wordOf(
    '\xc0\0\x02\x01\xc0\0\x02\x02\0\x19\0\x19',
    '\x20\x01\x0d\xb8'.repeat(9),
    '\0'.repeat(216),
    '\x04'.repeat(4080),
    '',
  ),
)

const judged = (octets: string, sizes: number): ProxyHeader => {
  for (let size = sizes; size < octets.length; size += sizes) {
    const said = parseProxyHeader(bufferOf(octets.slice(0, size)))
    if (said.is !== 'partial') return said
  }
  return parseProxyHeader(bufferOf(octets))
}

/** What a load balancer, or one who would be taken for it, says of its client: judged the same however it comes. */
export const proxyHeaders = target<string>((corpus) => ({
  inputs: spoilt(eitherOf(corpus, sentence('$$', fc.oneof(line, binary), wordOf('EHLO x\r\n', '')))),
  costs: 40,
  check: (octets) => {
    const said = parseProxyHeader(bufferOf(octets))
    for (const sizes of [1, 7]) if (octets.length < 500) assert.equal(judged(octets, sizes), said)
    if (said.is !== 'header') return
    assert.ok(said.length <= Math.min(octets.length, 5000))
    if (said.source !== undefined) assert.ok(isIP(said.source) > 0 && !said.source.includes('%'), said.source)
    // What follows it is none of its business.
    assert.equal(parseProxyHeader(bufferOf(`${octets.slice(0, said.length)}PROXY `)), said)
    assert.is(parseProxyHeader(bufferOf(octets.slice(0, said.length - 1))).is, 'partial')
  },
}))
