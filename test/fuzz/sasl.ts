import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { messageCredentials, octetsOf, passwordCredentials } from '../../src/proxy/sasl.ts'
import { decodeBase64 } from '../../src/wire/base64.ts'
import { decodeUtf8 } from '../../src/wire/utf8.ts'
import { bufferOf, textOf } from './octets.ts'
import { anyMessage, oauthBearerMessage, plainMessage, xoauth2Message } from './saslWords.ts'
import { target } from './target.ts'

type Login = { readonly mechanism: 'PLAIN' | 'XOAUTH2' | 'OAUTHBEARER'; readonly base64: string }

const encoded = (octets: string) => bufferOf(octets).toString('base64')
const of = (mechanism: Login['mechanism'], messages: fc.Arbitrary<string>) =>
  messages.map((octets): Login => ({ mechanism, base64: encoded(octets) }))

/** Every place of the name in the message, with another name in it. */
const replaced = (message: string, from: string, to: string) => message.split(from).join(to)

const check = ({ mechanism, base64 }: Login) => {
  const octets = decodeBase64(base64)
  const credentials = messageCredentials(mechanism, base64)
  if (!credentials) return
  const { name } = credentials
  assert.ok(octets && name !== '')
  // Under its own name the message is what the client has sent, octet for octet.
  const message = textOf(octets)
  const escaped = mechanism === 'OAUTHBEARER' ? name.replaceAll('=', '=3D').replaceAll(',', '=2C') : name
  assert.ok(message.includes(octetsOf(escaped)), 'the name stands in the message')
  // RFC 4648 §3.5: of the bits that pad, nobody says what they were.
  const own = octets.toString('base64')
  assert.is(credentials.message(name).reveal(), own)
  // Under another one only that changes, and the other is who is meant.
  const other = messageCredentials(mechanism, credentials.message('zo\u00EB,=x').reveal())
  assert.is(other?.name, 'zo\u00EB,=x')
  assert.is(other?.password?.reveal(), credentials.password?.reveal())
  assert.is(other?.message(name).reveal(), own)
  if (mechanism !== 'PLAIN') return
  const [authorize, , password = ''] = message.split('\0')
  assert.is(credentials.password?.reveal(), password)
  assert.is(
    credentials.message('x').reveal(),
    encoded(`${replaced(authorize ?? '', octetsOf(name), 'x')}\0x\0${password}`),
  )
}

const checkParts = ({ base64 }: Login) => {
  const octets = bufferOf(base64)
  const credentials = passwordCredentials('LOGIN', octets, octets)
  assert.is(credentials === undefined, base64 === '' || decodeUtf8(octets) === undefined)
  if (credentials) assert.is(credentials.password?.reveal(), base64)
}

/** Messages of SASL: who is meant, and that the secret reaches its server untouched under the user's name there. */
export const sasl = target<Login>((corpus) => ({
  inputs: fc.oneof(
    of('PLAIN', plainMessage),
    of('XOAUTH2', xoauth2Message),
    of('OAUTHBEARER', oauthBearerMessage),
    fc.record({ mechanism: fc.constantFrom('PLAIN', 'XOAUTH2', 'OAUTHBEARER'), base64: anyMessage }),
    fc.constantFrom(...corpus),
  ),
  costs: 30,
  check: (input) => {
    check(input)
    checkParts(input)
  },
}))
