import fc from 'fast-check'
import { BlockList, isIP } from 'node:net'
import * as assert from 'uvu/assert'
import { formatAddress, normaliseAddress, parseAddress } from '../../src/core/address.ts'
import { hostNameOf } from '../../src/core/hostName.ts'
import { parseNetwork } from '../../src/core/network.ts'
import { sourceOf } from '../../src/core/sourceAddress.ts'
import { formatTarget, isListed, parseTarget, parseTargetPattern } from '../../src/core/target.ts'
import { addressPolicy } from '../../src/proxy/addresses.ts'
import { parseProxyName } from '../../src/proxy/name.ts'
import { isReversePath, parsePathArgument } from '../../src/smtp/path.ts'
import { anyUtf8, eitherOf, sentence, spoilt, wordOf } from './octets.ts'
import { proxyNames } from './saslWords.ts'
import { target } from './target.ts'

// Here texts are not octets: what comes is UTF-8 that was read already.
const read = (octets: string) => Buffer.from(octets, 'latin1').toString('utf8')

const hextet = wordOf('0', '1', 'ffff', '2001', 'db8', '7f00', '64', 'ff9b', 'fe80', '2002', 'a00', '')
const ipv6 = spoilt(sentence('$:$:$::$:$', hextet, hextet, hextet, hextet, hextet))
const ipv4 = spoilt(
  sentence('$.$.$.$', ...[1, 2, 3, 4].map(() => wordOf('0', '1', '10', '127', '169', '254', '192', '168'))),
)
const addresses = fc.oneof(
  ipv4,
  ipv6,
  sentence('::ffff:$', ipv4),
  sentence('64:ff9b::$', ipv4),
  sentence('$/$', fc.oneof(ipv4, ipv6), wordOf('0', '8', '24', '32', '33', '64', '128', '129')),
)
const local = wordOf('anna', '"a b"', '"a\\"@b"', 'Zo\xc3\xab', 'a.b', 'a.', '"\\\\"', 'o\xcc\x88', '"ABC"')
const domain = wordOf(
  'example.com',
  'EXAMPLE',
  'b\xc3\xbccher.example',
  '[192.0.2.7]',
  '[IPv6:::1]',
  '1.2.3.4',
  '\xc2\xb2.de',
)
const mailAddresses = spoilt(sentence('$@$', local, domain))
const paths = spoilt(sentence('<$> $', mailAddresses, wordOf('SIZE=1', 'A=B C', '')))

const checkProxyName = (text: string) => {
  const name = parseProxyName(text)
  const parts = text.split('%')
  if (!name) return
  assert.ok(parts.length >= 3, 'a name has its two separators')
  assert.is(name.mailbox, parts.at(-1))
  assert.is(name.user, parts.slice(0, -2).join('%'))
  assert.equal(parseTarget(parts.at(-2) ?? ''), { server: name.server, port: name.port })
  assert.not.match(text, /\p{Cc}/u)
}

const checkTarget = (text: string) => {
  const one = parseTarget(text)
  if (one) {
    assert.equal(parseTarget(formatTarget(one)), one)
    assert.ok(isIP(one.server) > 0 || hostNameOf(one.server) === one.server, `${one.server} is a server`)
    // It would be somebody's address by another name.
    assert.ok(isIP(one.server) > 0 || !/^(?:0x[0-9a-f]*|\d+)(?:\.|$)(?:(?:0x[0-9a-f]*|\d+)(?:\.|$))*$/.test(one.server))
  }
  const pattern = parseTargetPattern(text)
  if (pattern === undefined) return
  assert.is(parseTargetPattern(pattern), pattern)
  const listed = isListed([pattern], { server: 'mail.example.net', port: 995 }, [995])
  if (one && one.server !== 'mail.example.net') assert.not.ok(listed)
}

const checkAddress = (text: string) => {
  const address = parseAddress(text)
  if (address) {
    assert.is(formatAddress(address), text)
    const normal = normaliseAddress(address)
    assert.ok(isReversePath(text))
    assert.not.match(normal, /\p{Cc}/u)
    const again = parseAddress(normal)
    // A name in its normal form may be longer than an address can be; then nobody has it.
    if (again) assert.is(normaliseAddress(again), normal)
  }
  const path = parsePathArgument(text)
  if (path) assert.ok(text.includes(path.path) && path.parameters.every((one) => text.includes(one)))
}

const inner = new BlockList()
for (const [address, prefix] of [
  ...([
    ['10.0.0.0', 8],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.168.0.0', 16],
    ['100.64.0.0', 10],
  ] as const),
  ...([
    ['0.0.0.0', 8],
    ['224.0.0.0', 3],
  ] as const),
] as const)
  inner.addSubnet(address, prefix, 'ipv4')
for (const [address, prefix] of [
  ['fe80::', 10],
  ['fc00::', 7],
  ['::1', 128],
  ['ff00::', 8],
] as const)
  inner.addSubnet(address, prefix, 'ipv6')

const policy = addressPolicy({ networks: [], ownAddresses: () => ['198.51.100.1'], ownPorts: () => [2525] })

const checkNetwork = (text: string) => {
  // Nobody types these: they are addresses of sockets.
  if (text.length > 100) return
  const network = parseNetwork(text)
  if (network !== undefined) assert.is(parseNetwork(network), network)
  const source = sourceOf(text)
  const family = isIP(text)
  if (family === 4) assert.is(source, text)
  if (family === 6 && source.endsWith('::/64')) assert.is(sourceOf(source.slice(0, -'/64'.length)), source)
  if (!policy.allows(text, 995)) return
  assert.ok(family > 0)
  // `check` of an IPv6 address that is mapped looks at the IPv4 networks too.
  assert.not.ok(inner.check(text, family === 4 ? 'ipv4' : 'ipv6'), `${text} is not public`)
}

/** Names that others type: users at other servers, servers, mail addresses, networks. */
export const names = target<string>((corpus) => ({
  inputs: eitherOf(corpus, fc.oneof(proxyNames, addresses, mailAddresses, paths, spoilt(anyUtf8)).map(read)),
  costs: 30,
  check: (text) => {
    checkProxyName(text)
    checkTarget(text)
    checkAddress(text)
    checkNetwork(text)
  },
}))
