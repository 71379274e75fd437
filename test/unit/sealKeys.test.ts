import { inspect } from 'node:util'
import { bech32 } from '@scure/base'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { generateIdentity, parseIdentity, parseRecipient, recipientOf } from '../../src/seal/x25519.ts'
import { faultOf } from './sealDriver.ts'

const test = suite('age recipients and identities')

// The identity of the age test vectors, and what `age-keygen -y` derives from it.
const identity = 'AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0'
const recipient = 'age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef'

const recipientFrom = (hex: string) => bech32.encodeFromBytes('age', Buffer.from(hex, 'hex'))

test('a new identity opens under the recipient that came with it, and no two are the same', async () => {
  const [one, other] = [await generateIdentity(), await generateIdentity()]
  assert.match(one.identity, /^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/)
  assert.match(one.recipient, /^age1[02-9ac-hj-np-z]{58}$/)
  assert.is(recipientOf(parseIdentity(one.identity)), one.recipient)
  assert.is.not(one.identity, other.identity)
})

test('the recipient of an identity is the one that age derives', () => {
  assert.is(recipientOf(parseIdentity(identity)), recipient)
})

test('a recipient keeps its text', () => {
  assert.is(parseRecipient(recipient).text, recipient)
})

test('what is not exactly one recipient is refused', () => {
  const wrong = [
    '',
    'age1',
    recipient.toUpperCase(),
    recipient.replace('xmww', 'xmwx'),
    ` ${recipient}`,
    `${recipient}\n`,
    recipient.slice(0, -1),
    identity,
    bech32.encodeFromBytes('age', new Uint8Array(31).fill(9)),
    bech32.encodeFromBytes('age1pq', new Uint8Array(32).fill(9)),
    bech32.encodeFromBytes('ag', new Uint8Array(32).fill(9)),
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH0',
  ]
  for (const text of wrong)
    assert.is(
      faultOf(() => parseRecipient(text)),
      'recipient-malformed',
      text,
    )
})

test('a recipient of low order is refused before anything is sealed to it', () => {
  // RFC 7748 §6.1: these make every shared secret zero.
  const lowOrder = [
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  ]
  for (const hex of lowOrder)
    assert.is(
      faultOf(() => parseRecipient(recipientFrom(hex))),
      'recipient-malformed',
      hex,
    )
})

test('a second spelling of a public key is refused, because no identity would open what is sealed to it', () => {
  const { bytes } = parseRecipient(recipient)
  const highBit = Buffer.from(bytes)
  highBit[31] = (highBit[31] ?? 0) | 0x80
  const aboveTheField = `f6${'ff'.repeat(30)}7f`
  assert.is(
    faultOf(() => parseRecipient(recipientFrom(highBit.toString('hex')))),
    'recipient-malformed',
  )
  assert.is(
    faultOf(() => parseRecipient(recipientFrom(aboveTheField))),
    'recipient-malformed',
  )
  assert.is(
    faultOf(() => parseRecipient(recipientFrom(`09${'00'.repeat(31)}`))),
    undefined,
  )
})

test('what is not exactly one identity is refused, and the error does not quote it', () => {
  const wrong = [
    '',
    identity.toLowerCase(),
    identity.replace('EGTZ', 'EGTX'),
    `${identity}\n`,
    `# comment\n${identity}`,
    recipient,
    bech32.encodeFromBytes('AGE-SECRET-KEY-', new Uint8Array(33)).toUpperCase(),
    bech32.encodeFromBytes('AGE-SECRET-KEY-PQ-', new Uint8Array(32)).toUpperCase(),
  ]
  for (const text of wrong)
    try {
      parseIdentity(text)
      assert.unreachable(text)
    } catch (error) {
      assert.is(
        faultOf(() => parseIdentity(text)),
        'identity-malformed',
        text,
      )
      if (text.length > 0) assert.not.ok(inspect(error).includes(text))
    }
})

test('an identity cannot be printed', () => {
  const parsed = parseIdentity(identity)
  const scalar = Buffer.from(bech32.decodeToBytes(identity).bytes)
  const prints = [
    String(parsed),
    JSON.stringify({ parsed }),
    inspect(parsed, { depth: 9, showHidden: true }),
    inspect({ deep: [parsed] }, { depth: 9, customInspect: false, showHidden: true }),
  ]
  for (const print of prints)
    for (const secret of [identity, scalar.toString('hex'), scalar.toString('base64url'), scalar.join(', ')])
      assert.not.ok(print.includes(secret), print)
})

test.run()
