import { createHash } from 'node:crypto'
import { inflateSync } from 'node:zlib'
import * as cctv from 'cctv-age'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Secret } from '../../src/core/secret.ts'
import { startOpening } from '../../src/seal/age.ts'
import { readPreamble } from '../../src/seal/file.ts'
import { payloadKey } from '../../src/seal/fileKey.ts'
import { encodeHeader, headerEnd, parseHeader } from '../../src/seal/header.ts'
import { openWithPassphrase } from '../../src/seal/passphrase.ts'
import { sealPayload } from '../../src/seal/payload.ts'
import { parseIdentity } from '../../src/seal/x25519.ts'
import { codeOf, cut, faultOf, type Outcome, run } from './sealDriver.ts'

const test = suite('age test vectors')

// The package declares one exported object, and really exports each vector by its name.
const vectors = cctv as never as Readonly<Record<string, Uint8Array>>

/** Vectors that do not apply, each list with its reason. Every other vector is run. */
const notApplicable = [
  {
    reason: 'ASCII armor is not offered: sealed objects are binary, and an armored file is refused as no age header',
    names: `armor_crlf armor_empty armor_empty_last_line armor_empty_line_begin armor_empty_line_end
      armor_eol_between_padding armor_full_last_line armor_garbage_encoded armor_garbage_leading
      armor_garbage_trailing armor_header_crlf armor_headers armor_hybrid armor_invalid_character_header
      armor_invalid_character_payload armor_long_line armor_lowercase armor_no_end_line armor_no_eol armor_no_match
      armor_no_padding armor_not_canonical armor_pgp_checksum armor_scrypt armor_short_line armor_whitespace_begin
      armor_whitespace_end armor_whitespace_eol armor_whitespace_last_line armor_whitespace_line_start
      armor_whitespace_outside armor_wrong_type armor_x25519`,
  },
  {
    reason:
      'hybrid post-quantum identities are not offered: every identity of the vector is one, and is refused as such',
    names: `hybrid hybrid_and_x25519 hybrid_bad_tag hybrid_currupted_enc_mlkem hybrid_currupted_enc_x25519
      hybrid_extra_argument hybrid_grease hybrid_identity hybrid_long_file_key hybrid_long_share hybrid_low_order
      hybrid_multiple_recipients hybrid_no_match hybrid_not_canonical_body hybrid_not_canonical_enc
      hybrid_short_share hybrid_uppercase`,
  },
].map(({ reason, names }) => ({ reason, names: names.split(/\s+/) }))

const isListed = (name: string) => notApplicable.some(({ names }) => names.includes(name))

type Vector = { readonly name: string; readonly fields: ReadonlyMap<string, readonly string[]>; readonly file: Buffer }

const parseVector = (name: string, bytes: Uint8Array): Vector => {
  const whole = Buffer.from(bytes)
  const end = whole.indexOf('\n\n')
  const fields = new Map<string, string[]>()
  for (const line of whole.subarray(0, end).toString().split('\n')) {
    const [key = '', value = ''] = line.split(': ', 2)
    fields.set(key, [...(fields.get(key) ?? []), value])
  }
  const file = whole.subarray(end + 2)
  return { name, fields, file: fields.has('compressed') ? inflateSync(file) : file }
}

const all = Object.entries(vectors).map(([name, bytes]) => parseVector(name, bytes))
const field = ({ fields }: Vector, key: string): string => fields.get(key)?.[0] ?? ''
const identitiesOf = ({ fields }: Vector) => fields.get('identity') ?? []
const isHybrid = (identity: string) => identity.startsWith('AGE-SECRET-KEY-PQ-1')

/** The faults that say what the vector's `expect` says. */
const faultsFor: Readonly<Record<string, readonly string[]>> = {
  'header failure': ['header-malformed', 'header-truncated', 'work-factor-too-high'],
  'no match': ['no-identity-matched', 'passphrase-wrong'],
  'HMAC failure': ['mac-mismatch'],
  'payload failure': ['payload-corrupt', 'payload-truncated'],
}

const check = (vector: Vector, { released, fault }: Outcome) => {
  const expected = field(vector, 'expect')
  if (expected === 'success') assert.is(fault, undefined)
  else assert.ok(faultsFor[expected]?.includes(fault ?? ''), `${expected}, but: ${fault ?? 'success'}`)
  const digest = createHash('sha256').update(released).digest('hex')
  if (vector.fields.has('payload')) assert.is(digest, field(vector, 'payload'))
  else assert.is(released.length, 0)
}

const passphraseOutcome = ({ file }: Vector, passphrase: string): Promise<Outcome> =>
  openWithPassphrase(file, new Secret(passphrase), { maxLogN: 22 }).then(
    (plaintext) => ({ released: Buffer.from(plaintext), fault: undefined }),
    (error: unknown) => ({ released: Buffer.alloc(0), fault: codeOf(error) }),
  )

const chunkings = ({ file }: Vector) => [[file.length || 1], [65536 + 16], [1000], ...(file.length < 2000 ? [[1]] : [])]

const applicable = all.filter(({ name }) => !isListed(name))

for (const vector of applicable) {
  test(`${vector.name}: ${field(vector, 'expect')}`, async () => {
    // An identity of an unknown kind fails here: its vector is either run or listed.
    const identities = identitiesOf(vector)
      .filter((text) => !isHybrid(text) || vector.name !== 'hybrid_x25519_arg')
      .map((text) => parseIdentity(text))
    const passphrases = vector.fields.get('passphrase') ?? []
    for (const passphrase of passphrases) check(vector, await passphraseOutcome(vector, passphrase))
    if (passphrases.length > 0 && identities.length === 0) return
    for (const sizes of chunkings(vector)) check(vector, run(startOpening(identities), cut(vector.file, sizes)))
  })
}

test('every vector has a known shape, and the list of those that do not apply names only vectors that exist', () => {
  const known = 'expect payload identity passphrase armored compressed file key comment'
  for (const { name, fields } of all) for (const key of fields.keys()) assert.ok(known.includes(key), `${name}: ${key}`)
  const names = all.map(({ name }) => name)
  for (const name of notApplicable.flatMap((list) => list.names)) assert.ok(names.includes(name), name)
  assert.ok(applicable.length >= 90)
})

test('an armored vector is refused whole, as no age header', () => {
  const armored = all.filter((vector) => field(vector, 'armored') === 'yes')
  assert.equal(
    armored.map(({ name }) => name),
    notApplicable[0]?.names,
  )
  for (const { file } of armored) {
    const { released, fault } = run(startOpening([]), cut(file, [700]))
    assert.is(released.length, 0)
    assert.ok(fault === 'header-malformed' || fault === 'header-truncated')
  }
})

test('a hybrid identity is refused as no X25519 identity', () => {
  for (const name of notApplicable[1]?.names ?? []) {
    const identities = identitiesOf(parseVector(name, vectors[name] ?? new Uint8Array(0)))
    assert.ok(identities.length > 0)
    for (const text of identities)
      assert.is(
        faultOf(() => parseIdentity(text)),
        'identity-malformed',
      )
  }
})

test('the header of every vector that has one is written back to the octet', () => {
  const wellFormed = all.filter(
    (vector) => field(vector, 'expect') !== 'header failure' && field(vector, 'armored') !== 'yes',
  )
  assert.ok(wellFormed.length >= 50)
  for (const { file } of wellFormed) {
    const bytes = file.subarray(0, headerEnd(file))
    const { stanzas, mac } = parseHeader(bytes)
    assert.equal(Buffer.from(encodeHeader(stanzas, () => mac)), bytes)
  }
})

test('the payload of every vector that opens is sealed again, under its file key and nonce, to the same octets', () => {
  const opened = applicable.filter(
    (vector) => field(vector, 'expect') === 'success' && !vector.fields.has('passphrase'),
  )
  assert.ok(opened.length > 10)
  for (const vector of opened) {
    const preamble = readPreamble(vector.file)
    assert.ok(preamble)
    const { released } = run(startOpening(identitiesOf(vector).map(parseIdentity)), [vector.file])
    const sealed: Uint8Array[] = []
    const key = payloadKey(Buffer.from(field(vector, 'file key'), 'hex'), preamble.nonce)
    const payload = sealPayload(key, (bytes) => sealed.push(bytes))
    payload.update(released)
    payload.final()
    assert.is(Buffer.compare(Buffer.concat(sealed), vector.file.subarray(preamble.end)), 0, vector.name)
  }
})

test.run()
