import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { Secret } from '../../src/core/secret.ts'
import { AgeError } from '../../src/seal/ageError.ts'
import { sealBytes, startOpening } from '../../src/seal/age.ts'
import { encodeHeader, headerEnd, parseHeader } from '../../src/seal/header.ts'
import { openWithPassphrase, sealWithPassphrase, workFactorOf } from '../../src/seal/passphrase.ts'
import { parseIdentity, parseRecipient, recipientOf } from '../../src/seal/x25519.ts'
import { bytesOf, run } from '../unit/sealDriver.ts'
import {
  anyMutations,
  bufferOf,
  eitherOf,
  joined,
  mutated,
  type Mutation,
  piecesOf,
  sentence,
  spoilt,
  textOf,
  wordOf,
} from './octets.ts'
import { target } from './target.ts'

type Sealed =
  | { readonly is: 'header'; readonly octets: string }
  | { readonly is: 'key'; readonly octets: string }
  | { readonly is: 'passphrase'; readonly mutations: readonly Mutation[] }
  | {
      readonly is: 'file'
      /** Which of the sealed files. */
      readonly of: number
      readonly mutations: readonly Mutation[]
      /** The order of the payload's chunks. */
      readonly chunks: readonly number[]
      readonly cuts: readonly number[]
    }

const chunk = 64 * 1024
const vectors = join(import.meta.dirname, '../vectors/age')
const passphrase = new Secret('password')

const stanza = sentence(
  '-> $ $\n$\n',
  wordOf('X25519', 'scrypt', 'grease', ''),
  wordOf('a b', 'GxDLTaBvmzMw 10', ''),
  wordOf('A'.repeat(64), 'AAAA', 'AA', 'AB', ''),
)
const header = sentence(
  'age-encryption.org/v1\n$---$$\n',
  joined(stanza, 3),
  wordOf(' ', '', '  '),
  wordOf('gxhoSa5BciRDt8lOpYNcx4EYtKpS0CJ06F3ZwN82VaM', 'A'.repeat(43), 'A'),
)
const keys = [
  'age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj',
  'AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX',
]

/** What a refusal is: one of this format, which holds nothing of what was given. */
const orRefused = <T>(action: () => T): T | undefined => {
  try {
    return action()
  } catch (error) {
    if (error instanceof AgeError) return undefined
    throw error
  }
}

const checkHeader = (octets: string) => {
  const bytes = bufferOf(octets)
  const end = orRefused(() => headerEnd(bytes))
  const parsed = orRefused(() => parseHeader(end === undefined ? bytes : bytes.subarray(0, end)))
  orRefused(() => workFactorOf(bytes))
  if (!parsed) return
  // What is taken is written so and in no other way.
  assert.is(textOf(encodeHeader(parsed.stanzas, () => parsed.mac)), textOf(bytes.subarray(0, end)))
}

const checkKey = (octets: string) => {
  const recipient = orRefused(() => parseRecipient(octets))
  if (recipient) assert.is(recipient.text, octets)
  const identity = orRefused(() => parseIdentity(octets))
  if (identity) assert.is(parseRecipient(recipientOf(identity)).text, recipientOf(identity))
}

const inOrder = (file: Buffer, order: readonly number[]) => {
  const start = (headerEnd(file) ?? 0) + 16
  const count = Math.ceil((file.length - start) / (chunk + 16))
  const at = (index: number) => file.subarray(start + index * (chunk + 16), start + (index + 1) * (chunk + 16))
  const kept = order.length === 0 ? Array.from({ length: count }, (_, index) => index) : order.map((one) => one % count)
  return Buffer.concat([file.subarray(0, start), ...kept.map(at)])
}

/** What is sealed, and what is given back of what was sealed and then changed: all, or less, and never anything else. */
export const sealed = target<Sealed>(async (corpus) => {
  const text = textOf(
    await openWithPassphrase(readFileSync(join(vectors, 'identity.age')), passphrase, { maxLogN: 12 }),
  )
  const identity = parseIdentity(text.trim())
  const recipient = parseRecipient(recipientOf(identity))
  const files = [0, 1, 100, 5000, chunk - 1, chunk, chunk + 1, 2 * chunk + 5].map((size, seed) => {
    const plaintext = bytesOf(size, seed)
    return { plaintext, octets: Buffer.from(sealBytes([recipient], plaintext)) }
  })
  const locked = textOf(await sealWithPassphrase(bytesOf(60, 9), passphrase, { logN: 2 }))
  const headers = files.map(({ octets }) => textOf(octets.subarray(0, headerEnd(octets))))

  const checkFile = ({ of, mutations, chunks, cuts }: Extract<Sealed, { is: 'file' }>) => {
    const file = files[of % files.length]
    assert.ok(file)
    const octets = mutations.reduce(mutated, textOf(inOrder(file.octets, chunks)))
    const { released, fault } = run(startOpening([identity]), piecesOf({ octets, cuts }).map(bufferOf))
    assert.ok(file.plaintext.subarray(0, released.length).equals(released), 'what is released is what was sealed')
    const untouched = file.octets.equals(bufferOf(octets))
    assert.is(fault === undefined, untouched, `fault ${fault}`)
    if (untouched) assert.is(released.length, file.plaintext.length)
  }
  const checkPassphrase = async (mutations: readonly Mutation[]) => {
    const octets = mutations.reduce(mutated, locked)
    try {
      const opened = await openWithPassphrase(bufferOf(octets), passphrase, { maxLogN: 6 })
      assert.ok(octets === locked && bytesOf(60, 9).equals(opened))
    } catch (error) {
      if (!(error instanceof AgeError) || octets === locked) throw error
    }
  }
  const cuts = fc.oneof(fc.array(fc.nat(150_000), { maxLength: 4 }), fc.constant([]))
  const chunks = fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(fc.nat(2), { minLength: 1, maxLength: 4 }) },
  )
  const drawn: fc.Arbitrary<Sealed> = fc.oneof(
    fc.record({ is: fc.constant('header' as const), octets: spoilt(eitherOf(headers, header)) }),
    fc.record({ is: fc.constant('key' as const), octets: spoilt(fc.constantFrom(...keys, text.trim())) }),
    fc.record({ is: fc.constant('passphrase' as const), mutations: anyMutations }),
    fc.record({ is: fc.constant('file' as const), of: fc.nat(7), mutations: anyMutations, chunks, cuts }),
  )
  return {
    inputs: fc.oneof({ weight: 20, arbitrary: drawn }, { weight: 1, arbitrary: fc.constantFrom(...corpus) }),
    costs: 100,
    check: (input) => {
      if (input.is === 'passphrase') return checkPassphrase(input.mutations)
      if (input.is === 'header') checkHeader(input.octets)
      else if (input.is === 'key') checkKey(input.octets)
      else checkFile(input)
      return undefined
    },
  }
})
