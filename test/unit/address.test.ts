import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatAddress, normaliseAddress, parseAddress } from '../../src/core/address.ts'

const normalised = (text: string) => {
  const address = parseAddress(text)
  return address && normaliseAddress(address)
}

for (const [text, form] of [
  ['user@example.com', 'user@example.com'],
  ['User.Name@Example.COM', 'user.name@example.com'],
  ["!#$%&'*+/=?^_`{|}~-@example.com", "!#$%&'*+/=?^_`{|}~-@example.com"],
  ['a@localhost', 'a@localhost'],
  ['a@1and1.example', 'a@1and1.example'],
  ['"user"@example.com', 'user@example.com'],
  ['"us\\er"@example.com', 'user@example.com'],
  ['"two words"@example.com', '"two words"@example.com'],
  ['"a@b"@example.com', '"a@b"@example.com'],
  ['"a\\"b"@example.com', '"a\\"b"@example.com'],
  ['"a\\\\b"@example.com', '"a\\\\b"@example.com'],
  ['"a..b"@example.com', '"a..b"@example.com'],
  ['""@example.com', '""@example.com'],
  ['a@[192.0.2.1]', 'a@[192.0.2.1]'],
  ['a@[IPv6:2001:DB8::1]', 'a@[ipv6:2001:db8::1]'],
  ['a@[X-tag:anything]', 'a@[x-tag:anything]'],
  ['JÜRGEN@MÜNCHEN.example', 'jürgen@xn--mnchen-3ya.example'],
  ['ju\u0308rgen@mu\u0308nchen.example', 'jürgen@xn--mnchen-3ya.example'],
  ['a@XN--MNCHEN-3ya.example', 'a@xn--mnchen-3ya.example'],
] as const)
  test(`${text} is looked up as ${form}`, () => {
    assert.is(normalised(text), form)
  })

for (const text of [
  '',
  'user',
  '@example.com',
  'user@',
  '.user@example.com',
  'user.@example.com',
  'us..er@example.com',
  'us er@example.com',
  '"user@example.com',
  'us"er"@example.com',
  '"us"er"@example.com',
  'user@@example.com',
  'user@exa mple.com',
  'user@-example.com',
  'user@example-.com',
  'user@example..com',
  'user@example.com.',
  'user@under_score.example',
  'user@[192.0.2.256]',
  'user@[192.0.2.1',
  'user@[IPv6:2001:db8::1%eth0]',
  'user@[IPv6:192.0.2.1]',
  'user@[]',
  'user\r\n@example.com',
  'user@example.com\r\nBcc: x',
  'user\0@example.com',
  '"us\0er"@example.com',
  'us\u0085er@example.com',
  'us\u200Ber@example.com',
  'us\u2028er@example.com',
  'us\u202Eer@example.com',
  `${'a'.repeat(65)}@example.com`,
  `a@${'b'.repeat(64)}.example`,
  `a@${'bcdefghi.'.repeat(30)}example`,
])
  test(`${JSON.stringify(text).slice(0, 60)} is no address`, () => {
    assert.is(parseAddress(text), undefined)
  })

test('a domain that would be read as a number stays what it is', () => {
  assert.is(normalised('a@１.２'), 'a@１.２')
  assert.is(normalised('a@0x7f.1'), 'a@0x7f.1')
})

const local = fc.oneof(
  fc.stringMatching(/^[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,8}(\.[a-zA-Z0-9]{1,8}){0,3}$/),
  fc.stringMatching(/^"([ !#-[\]-~]|\\[ -~]){0,12}"$/),
  fc.constantFrom('jürgen', '"ö ä"', '用户'),
)
const domain = fc.oneof(
  fc.stringMatching(/^[a-zA-Z0-9]([a-zA-Z0-9-]{0,10}[a-zA-Z0-9])?(\.[a-zA-Z]{2,8}){0,3}$/),
  fc.constantFrom('[192.0.2.1]', '[IPv6:2001:db8::1]', 'münchen.example', 'faß.example'),
)

test('every address of the grammar is parsed, and is what it was when it is written again', () => {
  fc.assert(
    fc.property(local, domain, (left, right) => {
      const address = parseAddress(`${left}@${right}`)
      assert.equal(address, { local: left, domain: right })
      assert.is(address && formatAddress(address), `${left}@${right}`)
    }),
  )
})

test('the form for looking up is itself an address, whose form is the same', () => {
  fc.assert(
    fc.property(local, domain, (left, right) => {
      const form = normalised(`${left}@${right}`)
      assert.is.not(form, undefined)
      assert.is(normalised(form ?? ''), form)
    }),
  )
})

test('whatever is parsed, no control character gets through', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (left, right) => {
      const address = parseAddress(`${left}@${right}`)
      if (address) assert.not.match(formatAddress(address), /[\p{Cc}\p{Zl}\p{Zp}]/u)
    }),
  )
})

test.run()
