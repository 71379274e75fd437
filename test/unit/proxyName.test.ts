import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { isListed, parseTarget, parseTargetPattern } from '../../src/core/target.ts'
import { parseProxyName } from '../../src/proxy/name.ts'
import { portsOf, usualPorts } from '../../src/proxy/ports.ts'

const test = suite('proxy names and targets')
const mailbox = 'mbx-0123456789abcdef0123456789abcdef'

for (const [text, server, port, user = 'anna@example.com'] of [
  [`anna@example.com%pop.example.net%${mailbox}`, 'pop.example.net', undefined],
  [`anna@example.com%POP.Example.NET:1995%${mailbox}`, 'pop.example.net', 1995],
  [`100%sure@example.com%pop.example.net%${mailbox}`, 'pop.example.net', undefined, '100%sure@example.com'],
  [`a%b%c%localhost:65535%${mailbox}`, 'localhost', 65_535, 'a%b%c'],
  [`anna@example.com%192.0.2.7:995%${mailbox}`, '192.0.2.7', 995],
  [`anna@example.com%[2001:DB8:0::7]:995%${mailbox}`, '2001:db8::7', 995],
  [`anna@example.com%post.münchen.example%${mailbox}`, 'post.xn--mnchen-3ya.example', undefined],
  [`%%pop.example.net%${mailbox}`, 'pop.example.net', undefined, '%'],
] as const)
  test(`${text} is a proxy name`, () => {
    assert.equal(parseProxyName(text), { user, server, port, mailbox })
  })

for (const text of [
  ...['', 'anna', 'anna%pop.example.net', '%pop.example.net%m', 'a%%m', 'a%pop.example.net%', 'a%b c%m', 'a%-b%m'],
  ...['a%pop.example.net:%m', 'a%pop.example.net:0%m', 'a%pop.example.net:65536%m', 'a%pop.example.net:99999999%m'],
  ...[
    'a%pop.example.net:+5%m',
    'a%pop.example.net.%m',
    'a%2001:db8::7%m',
    'a%[fe80::1]x%m',
    'a%[]%m',
    'a%1.2.3%m',
    'a%0x7f000001%m',
    'a%10.0x1%m',
  ],
  ...['a\r\nQUIT%pop.example.net%m', 'a%pop.example.net\r\n%m', 'a%pop.example.net%m\n', 'a\0%pop.example.net%m'],
  ...['a\u0001auth=x%pop.example.net%m', 'a\u0085%pop.example.net%m', `${'a'.repeat(1000)}%pop.example.net%m`],
  ...[
    'a%pop.example.net/../%m',
    'a%http://pop.example.net%m',
    'a%user@pop.example.net%m',
    'a%*.example.net%m',
    'a%*%m',
  ],
])
  test(`${JSON.stringify(text).slice(0, 60)} is no proxy name`, () => {
    assert.is(parseProxyName(text), undefined)
  })

test('whatever is typed, a proxy name has neither controls nor a server that is more than a name', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('a', '%', 'pop.example.net', ':25', '\r\n', '[::1]'),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const name = parseProxyName(pieces.join(''))
      if (name === undefined) return
      assert.not.match(name.user + name.mailbox, /\p{Cc}/u)
      assert.match(name.server, /^[a-z0-9.-]+$|^[0-9a-f:.]+$/)
    }),
  )
})

const must = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('it was not parsed')
  return value
}

const listed = (patterns: readonly string[], target: string) => {
  const { server, port } = must(parseTarget(target))
  return isListed(patterns, { server, port: port ?? 995 }, usualPorts)
}

for (const [pattern, yes, no] of [
  [
    'pop.example.net',
    ['pop.example.net', 'pop.example.net:110', 'POP.example.net:587'],
    ['example.net', 'a.pop.example.net'],
  ],
  ['pop.example.net', ['pop.example.net:465'], ['pop.example.net:22', 'pop.example.net:1995']],
  ['pop.example.net:1995', ['pop.example.net:1995'], ['pop.example.net', 'pop.example.net:110']],
  [
    '*.example.net',
    ['pop.example.net', 'a.b.example.net'],
    ['example.net', 'popexample.net', 'pop.example.net.evil.example'],
  ],
  ['*', ['pop.example.net', 'localhost'], ['pop.example.net:22', '192.0.2.7', '[2001:db8::7]']],
  ['*:1995', ['pop.example.net:1995'], ['pop.example.net']],
  ['192.0.2.7', ['192.0.2.7'], ['192.0.2.8', 'pop.example.net']],
  ['[2001:DB8:0::7]', ['[2001:db8::7]:995'], ['[2001:db8::8]']],
] as const)
  test(`${pattern} lists ${yes.join(', ')} and not ${no.join(', ')}`, () => {
    const patterns = [must(parseTargetPattern(pattern))]
    assert.equal(
      yes.map((target) => listed(patterns, target)),
      yes.map(() => true),
    )
    assert.equal(
      no.map((target) => listed(patterns, target)),
      no.map(() => false),
    )
  })

test('nothing is listed by no pattern', () => assert.not(listed([], 'pop.example.net')))

test('TLS from the first octet is tried first; a port that is named is the only one', () => {
  const plan = (service: 'smtp' | 'pop3', port?: number) =>
    portsOf(service, port).map(({ port, tls }) => `${port} ${tls}`)
  assert.equal(plan('smtp'), ['465 implicit', '587 upgrade'])
  assert.equal(plan('pop3'), ['995 implicit', '110 upgrade'])
  assert.equal(
    [25, 110, 587, 465, 995, 1995].flatMap((port) => plan('smtp', port)),
    [...['25 upgrade', '110 upgrade', '587 upgrade', '465 implicit', '995 implicit', '1995 either']],
  )
})

test.run()
