import fc from 'fast-check'
import { isIP } from 'node:net'
import * as assert from 'uvu/assert'
import { parseProxyHeader, type ProxyHeader } from '../../src/wire/proxyHeader.ts'
import {
  anyOctets,
  bufferOf,
  eitherOf,
  piecesOf,
  type Segmented,
  segmented,
  sentence,
  spoilt,
  textOf,
  wordOf,
} from './octets.ts'
import { binaryHeader } from '../support/proxyHeaders.ts'
import { target } from './target.ts'

const octet = fc.nat(255)
const port = wordOf('0', '25', '65535', '65536')
const ip = fc.oneof(fc.ipV4(), fc.ipV6())
const line = fc.oneof(
  sentence('PROXY $ $ $ $ $\r\n', wordOf('TCP4', 'TCP6', 'UNKNOWN'), ip, ip, port, port),
  sentence('PROXY UNKNOWN$\r\n', anyOctets),
)
const binary = fc
  .tuple(
    fc.oneof(fc.constantFrom(0x20, 0x21), octet),
    fc.oneof(fc.constantFrom(0, 0x11, 0x21, 0x31), octet),
    fc.uint8Array({ maxLength: 60, size: 'max' }),
  )
  .map(([command, family, rest]) => textOf(binaryHeader(command, family, rest)))

/** What a header may take, whatever it says. */
const longest = 4096

/** As it comes in, piece by piece; nothing is looked at behind the verdict. */
const verdictOf = (input: Segmented): ProxyHeader => {
  let octets = Buffer.alloc(0)
  for (const piece of piecesOf(input)) {
    octets = Buffer.concat([octets, bufferOf(piece)])
    const header = parseProxyHeader(octets)
    if (header.is !== 'partial') return header
    assert.ok(octets.length < longest, 'what is still partial is bounded')
  }
  return { is: 'partial' }
}

/** PROXY headers and what is taken for them. */
export const proxyHeader = target<Segmented>((corpus) => ({
  inputs: segmented(
    fc
      .tuple(
        spoilt(
          eitherOf(
            corpus.map(({ octets }) => octets),
            line,
            binary,
          ),
        ),
        anyOctets,
      )
      .map((parts) => parts.join('')),
  ),
  costs: 20,
  check: (input) => {
    const header = verdictOf(input)
    const whole = bufferOf(input.octets)
    assert.equal(header, parseProxyHeader(whole), 'segments change nothing')
    if (header.is !== 'header') return
    assert.ok(header.length <= Math.min(longest, whole.length))
    assert.equal(parseProxyHeader(whole.subarray(0, header.length)), header, 'what follows changes nothing')
    if (header.length > 0) assert.equal(parseProxyHeader(whole.subarray(0, header.length - 1)), { is: 'partial' })
    if (header.source !== undefined) assert.ok(isIP(header.source) > 0, `${header.source} is an address`)
  },
}))
