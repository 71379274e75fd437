import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { messageCredentials, octetsOf, passwordCredentials, responseOf } from '../../src/proxy/sasl.ts'

const test = suite('logins of mail clients')
const base64 = (text: string | Uint8Array) => Buffer.from(text).toString('base64')
const decoded = (text = '') => Buffer.from(text, 'base64').toString('utf8')

const token = 'ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg=='

for (const [mechanism, message, name, rewritten] of [
  ['PLAIN', '\0anna%pop%m\0pass', 'anna%pop%m', '\0anna\0pass'],
  ['PLAIN', 'anna%pop%m\0anna%pop%m\0pass', 'anna%pop%m', 'anna\0anna\0pass'],
  ['PLAIN', '\0zoë%pop%m\0pä%ss', 'zoë%pop%m', '\0anna\0pä%ss'],
  [
    'XOAUTH2',
    `user=anna%pop%m\x01auth=Bearer ${token}\x01\x01`,
    'anna%pop%m',
    `user=anna\x01auth=Bearer ${token}\x01\x01`,
  ],
  [
    'OAUTHBEARER',
    `n,a=an=3Dn=2Ca%pop%m,\x01host=gateway.example\x01port=465\x01auth=Bearer ${token}\x01\x01`,
    'an=n,a%pop%m',
    `n,a=anna,\x01host=gateway.example\x01port=465\x01auth=Bearer ${token}\x01\x01`,
  ],
] as const)
  test(`${mechanism} ${JSON.stringify(message).slice(0, 40)} says who logs in, and is rewritten for the server`, () => {
    const credentials = messageCredentials(mechanism, base64(message))
    assert.is(credentials?.name, name)
    assert.is(credentials?.mechanism, mechanism)
    assert.is(decoded(credentials?.message('anna').reveal()), rewritten)
    assert.is(credentials?.password !== undefined, mechanism === 'PLAIN')
  })

test('a user name with the separators of OAUTHBEARER is escaped', () => {
  const credentials = messageCredentials('OAUTHBEARER', base64('n,a=x,\x01auth=Bearer t\x01\x01'))
  assert.is(decoded(credentials?.message('a=b,c').reveal()), 'n,a=a=3Db=2Cc,\x01auth=Bearer t\x01\x01')
})

for (const [mechanism, message] of [
  ...['', 'anna', '\0anna', '\0\0pass', '\0anna\0', 'other\0anna\0pass', '\0anna\0pa\0ss'].map(
    (message) => ['PLAIN', message] as const,
  ),
  ...['', 'user=', 'user=\x01auth=Bearer t\x01\x01', 'user=anna', 'anna\x01auth=', ' user=anna\x01\x01'].map(
    (message) => ['XOAUTH2', message] as const,
  ),
  ...[
    '',
    'n,,\x01auth=Bearer t\x01\x01',
    'n,a=,\x01\x01',
    'p=tls-unique,a=anna,\x01\x01',
    'n,a=an=na,\x01\x01',
    'n,a=anna\x01\x01',
  ].map((message) => ['OAUTHBEARER', message] as const),
] as const)
  test(`${mechanism} ${JSON.stringify(message)} is malformed or names nobody`, () => {
    assert.is(messageCredentials(mechanism, base64(message)), undefined)
  })

for (const text of [
  '=',
  'a',
  '****',
  'AGFubmEAcGFzcw',
  'AGFubmEAcGFzcw== ',
  'AGFubmEA\r\ncGFzcw==',
  'AGFubmEAcGFzcw==AAAA',
])
  test(`${JSON.stringify(text)} is no base64 of a login`, () => {
    assert.is(messageCredentials('PLAIN', text), undefined)
  })

test('a name that is not UTF-8 is malformed', () => {
  assert.is(messageCredentials('PLAIN', base64(Buffer.from('\0ann\xe4\0pass', 'latin1'))), undefined)
  assert.is(passwordCredentials('USER', Buffer.from('ann\xe4', 'latin1'), Buffer.from('pass')), undefined)
})

test('USER and LOGIN can be said as PLAIN, octet for octet', () => {
  for (const mechanism of ['USER', 'LOGIN'] as const) {
    const credentials = passwordCredentials(mechanism, Buffer.from('zoë%pop%m'), Buffer.from('p\xe4ss\xff', 'latin1'))
    assert.is(credentials?.name, 'zoë%pop%m')
    assert.is(credentials?.password?.reveal(), 'p\xe4ss\xff')
    const message = Buffer.from(credentials?.message('zoë').reveal() ?? '', 'base64').toString('latin1')
    assert.is(message, `\0${octetsOf('zoë')}\0p\xe4ss\xff`)
  }
  assert.is(passwordCredentials('USER', Buffer.from(''), Buffer.from('p')), undefined)
  assert.is(passwordCredentials('USER', Buffer.from('a'), Buffer.from('')), undefined)
})

const octets = (not: readonly number[]) =>
  fc
    .uint8Array({ minLength: 1, maxLength: 60 })
    .map((some) => Buffer.from(some.filter((octet) => !not.includes(octet))))
const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).filter((text) => /^[^\0\x01,=]+$/.test(text))

test('whatever the secret is, only the user name is replaced', () => {
  fc.assert(
    fc.property(name, name, octets([0]), (typed, user, secret) => {
      fc.pre(secret.length > 0)
      const around = [
        ['PLAIN', '\0', '\0'],
        ['XOAUTH2', 'user=', '\x01auth=Bearer '],
        ['OAUTHBEARER', 'n,a=', ',\x01auth=Bearer '],
        ['OAUTHBEARER', 'y,a=', ',\x01'],
      ] as const
      for (const [mechanism, before, after] of around) {
        const message = (user: string) => base64(Buffer.concat([Buffer.from(before + user + after), secret]))
        const credentials = messageCredentials(mechanism, message(typed))
        assert.is(credentials?.name, typed)
        assert.is(credentials?.message(user).reveal(), message(user))
        assert.is(credentials?.message(typed).reveal(), message(typed))
      }
    }),
  )
})

test('what is no response to a challenge cancels, and is no line for the server', () => {
  const passed = (line: string) => responseOf(Buffer.from(line, 'latin1'))
  for (const response of ['', 'AQ==', base64('user=anna\x01'), '+/==']) assert.is(passed(response), response)
  for (const other of ['*', 'DELE 1', 'QUIT ', 'AQ==\rDELE 1', '=\n', 'ä', '\0', ' ']) assert.is(passed(other), '*')
})

test('no credential is printed', () => {
  const credentials = messageCredentials('PLAIN', base64('\0anna%pop%m\0hidden'))
  assert.not.match(JSON.stringify([credentials, credentials?.message('anna')]), /hidden|aGlkZGVu/)
})

test.run()
