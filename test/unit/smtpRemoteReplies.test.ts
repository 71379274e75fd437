import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { noExtensions } from '../../actors/proxiedSmtp.ts'
import { offersIn } from '../../src/proxy/smtpOffers.ts'
import { replyReader } from '../../src/proxy/smtpReply.ts'

const read = (...pieces: readonly string[]) => {
  const reader = replyReader()
  const found: unknown[] = []
  for (const piece of pieces) {
    reader.push(Buffer.from(piece, 'latin1'))
    for (let reply = reader.take(); reply !== undefined; reply = reader.take()) {
      found.push(reply === 'nonsense' ? reply : `${reply.code} ${reply.octets.toString('latin1')}`)
      if (reply === 'nonsense') return found
    }
  }
  return found
}

for (const [given, wanted] of [
  ['250 ok\r\n', ['250 250 ok\r\n']],
  ['250-a\r\n250-b\r\n250 c\r\n', ['250 250-a\r\n250-b\r\n250 c\r\n']],
  ['250\r\n', ['250 250 \r\n']],
  ['250 bare line feed\n', ['250 250 bare line feed\r\n']],
  ['550 \xe4 is passed\r\n421 next\r\n', ['550 550 \xe4 is passed\r\n', '421 421 next\r\n']],
  ['250-a\r\n', []],
  ['250-a\r\n251 b\r\n', ['nonsense']],
  ['hello\r\n', ['nonsense']],
  ['25 ok\r\n', ['nonsense']],
  ['2500 ok\r\n', ['nonsense']],
  ['150 ok\r\n', ['nonsense']],
  ['650 ok\r\n', ['nonsense']],
  ['250ok\r\n', ['nonsense']],
  ['250 a\rb\r\n', ['nonsense']],
  ['250 a\0b\r\n', ['nonsense']],
  [`250 ${'x'.repeat(4000)}\r\n`, [`250 250 ${'x'.repeat(4000)}\r\n`]],
  [`250 ${'x'.repeat(5000)}`, ['nonsense']],
  [`${'250-x\r\n'.repeat(99)}250 y\r\n`, [`250 ${'250-x\r\n'.repeat(99)}250 y\r\n`]],
  ['250-x\r\n'.repeat(101), ['nonsense']],
] as const)
  test(`${JSON.stringify(given.slice(0, 40))} of ${given.length} octets reads as ${JSON.stringify(wanted).slice(0, 60)}`, () =>
    assert.equal(read(given), wanted))

test('replies are the same in whatever pieces they come', () =>
  fc.assert(
    fc.property(fc.array(fc.nat(40), { maxLength: 6 }), (cuts) => {
      const text = '250-first\r\n250 last\r\n354 go\r\n235 2.7.0 ok\r\n'
      const at = [0, ...cuts.toSorted((a, b) => a - b), text.length]
      assert.equal(read(...at.slice(1).map((end, index) => text.slice(at[index], end))), read(text))
    }),
  ))

test('what is offered is read in any case, with numbers only where they are', () => {
  const texts = ['mail.example.net at your service', 'size 35882577', '8bitmime', 'STARTTLS', 'AUTH PLAIN Login XOAUTH2 NTLM', 'AUTH=LOGIN', 'DSN'] // prettier-ignore
  assert.equal(offersIn(texts), {
    starttls: true,
    mechanisms: ['PLAIN', 'LOGIN', 'XOAUTH2', 'LOGIN'],
    extensions: { size: 35_882_577, eightBit: true, smtpUtf8: false, dsn: true },
  })
  assert.equal(offersIn(['STARTTLS']), { starttls: false, mechanisms: [], extensions: noExtensions })
  assert.is(offersIn(['x', 'SIZE']).extensions.size, 0)
  assert.is(offersIn(['x', 'SIZE much']).extensions.size, 0)
})

test.run()
