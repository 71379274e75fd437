import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { isDeleted, noDeletions, withDeletion } from '../../actors/deletions.ts'
import { parseCommand } from '../../src/pop3/commands.ts'
import { holdCredentials } from '../../src/pop3/credentials.ts'
import { topCutter } from '../../src/wire/topCutter.ts'

const parsed = (line: string) => parseCommand(Buffer.from(line, 'latin1'))

test('verbs are taken in any case, with trailing spaces', () => {
  assert.equal(parsed('stat'), { verb: 'stat' })
  assert.equal(parsed('QuIt  '), { verb: 'quit' })
  assert.equal(parsed('RETR 12 '), { verb: 'retr', number: 12 })
  assert.equal(parsed('top 3 0'), { verb: 'top', number: 3, lines: 0 })
  assert.equal(parsed('LIST'), { verb: 'list', number: undefined })
  assert.equal(parsed('UIDL 7'), { verb: 'uidl', number: 7 })
})

test('what is no number, or too many of them, is malformed', () => {
  for (const line of ['RETR', 'RETR -1', 'RETR 1.5', 'RETR 0x1', 'RETR 12345678901', 'RETR 1 2', 'DELE all', 'LIST x'])
    assert.is(parsed(line).verb, 'malformed', line)
  for (const line of ['TOP 1', 'TOP 1 -1', 'TOP 1 2 3', 'TOP', 'STAT 1', 'USER', 'PASS', 'PASS ', 'AUTH'])
    assert.is(parsed(line).verb, 'malformed', line)
})

test('every line is some command, and never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 255 }), (octets) => {
      assert.type(parseCommand(Buffer.from(octets)).verb, 'string')
    }),
  )
})

test('a password is everything after the one space', () => {
  const command = parsed('PASS  two  spaces ')
  assert.equal('argument' in command && command.argument.toString(), ' two  spaces ')
})

const secured = () => holdCredentials(() => true)
const plain = (...parts: string[]) => Buffer.from(parts.join('\0')).toString('base64')

test('any name and password without NUL come through SASL PLAIN unchanged', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((one) => !/[\0%]/.test(one))
  fc.assert(
    fc.property(text, text, fc.boolean(), (user, password, authorizes) => {
      const credentials = secured()
      assert.is(credentials.response(Buffer.from(plain(authorizes ? user : '', user, password))), 'given')
      const taken = credentials.take()
      assert.is(taken.user, user)
      assert.is(taken.password.reveal(), password)
    }),
  )
})

test('malformed SASL PLAIN is never taken', () => {
  for (const initial of [
    '=',
    '====',
    'AGFsaWNl',
    `${plain('', 'alice', 'x')}=`,
    `${plain('', 'alice', 'x')}!`,
    plain('', 'alice', ''),
    plain('', '', 'x'),
    plain('', 'alice', 'x', 'y'),
    plain('bob', 'alice', 'x'),
    Buffer.from([0, 0x61, 0, 0xff]).toString('base64'),
  ]) {
    const credentials = secured()
    assert.is(credentials.auth(Buffer.from(`PLAIN ${initial}`)), 'malformed', initial)
    assert.is(credentials.take().user, '')
  }
})

test('nothing is looked at without TLS, and what was given is handed out once', () => {
  let tls = false
  const credentials = holdCredentials(() => tls)
  assert.is(credentials.user(Buffer.from('alice')), 'unread')
  assert.is(credentials.pass(Buffer.from('x')), 'unread')
  assert.is(credentials.auth(Buffer.from(`PLAIN ${plain('', 'alice', 'x')}`)), 'unread')
  assert.is(credentials.take().user, '')
  tls = true
  credentials.user(Buffer.from('alice'))
  credentials.pass(Buffer.from('x'))
  assert.is(credentials.take().user, 'alice')
  assert.is(credentials.take().password.reveal(), '')
})

/** By lines as a list: the header with its empty line, and so many more. */
const topOf = (text: string, wanted: number) => {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
  const empty = lines.findIndex((line) => line === '\n' || line === '\r\n')
  return empty < 0 ? text : lines.slice(0, empty + 1 + wanted).join('')
}

test('TOP is the header, the empty line and so many lines, however the message is cut', () => {
  const pieces = fc.array(fc.constantFrom('\r', '\n', '\r\n', '.', 'x', '\r\n\r\n', '\n\n'), { maxLength: 25 })
  fc.assert(
    fc.property(pieces, fc.nat(4), fc.array(fc.nat(60), { maxLength: 5 }), (all, wanted, cuts) => {
      const text = all.join('')
      const places = [0, ...cuts.map((at) => at % (text.length + 1)), text.length].sort((a, b) => a - b)
      const cut = topCutter(wanted)
      const out = places.slice(1).map((end, i) => Buffer.from(cut(Buffer.from(text.slice(places[i], end)))))
      assert.is(Buffer.concat(out).toString(), topOf(text, wanted))
    }),
    { numRuns: 2000 },
  )
})

test('exactly the messages that were marked are deleted, and marking changes nothing older', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.array(fc.integer({ min: 1, max: 100 })), (count, numbers) => {
      const marked = numbers.filter((number) => number <= count)
      const before = noDeletions(count)
      const deletions = marked.reduce(withDeletion, before)
      for (let number = 1; number <= count; number++) {
        assert.is(isDeleted(deletions, number), marked.includes(number))
        assert.not(isDeleted(before, number))
      }
    }),
  )
})

test.run()
