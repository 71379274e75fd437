import fc from 'fast-check'

// Octets are texts of one character each (Latin-1), so that what is drawn can be read, kept and shrunk.

/** What changes a meaning where it stands: ends of lines and texts, separators, quotes, halves of UTF-8. */
const sharp = [
  ...['\r', '\n', '\0', '\r\n', '\n.\r\n', '\r\n.\r\n', '\r.\r', '.', '..', ' ', '\t', '\x0b', '\x1a', '\x7f', '\x85'],
  ...[
    '<',
    '>',
    '"',
    '\\',
    '@',
    '%',
    ':',
    '=',
    ',',
    '+',
    '-',
    '*',
    '[',
    ']',
    '/',
    ';',
    '(',
    ')',
    '\x01',
    '&',
    '~',
    '\x1b',
  ],
  ...[
    '\xff',
    '\xc3',
    '\xa4',
    '\xc3\xa4',
    '\xe2\x80\xa8',
    '\xef\xbb\xbf',
    '\xed\xa0\x80',
    '\xf0\x9f\x92\xa5',
    '\xc0\x80',
  ],
]
const numbers = [
  '0',
  '1',
  '00',
  '2147483647',
  '4294967296',
  '9007199254740993',
  '1e3',
  '-1',
  '99999999999999999999',
  '',
]
/** Lengths at which something somewhere ends: lines, replies, buffers. */
const lengths = [64, 255, 256, 510, 512, 998, 1000, 4096, 12_320].flatMap((n) => [n - 1, n, n + 1, n + 2])

const place = fc.nat(0xffff)
const mutation = fc.oneof(
  { weight: 5, arbitrary: fc.record({ is: fc.constant('insert'), at: place, text: fc.constantFrom(...sharp) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('replace'), at: place, text: fc.constantFrom(...sharp) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('drop'), at: place, size: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('twice'), at: place, size: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('end'), at: place }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('case'), at: place, size: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('number'), at: place, text: fc.constantFrom(...numbers) }) },
  // One octet, or two by turns, as often as it takes to get to a length.
  { weight: 1, arbitrary: fc.record({ is: fc.constant('fill'), at: place, size: fc.constantFrom(...lengths) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('weave'), at: place, size: fc.constantFrom(...lengths) }) },
)
export type Mutation = {
  readonly is: string
  readonly at: number
  readonly text?: string
  readonly size?: number
}

export const anyMutations: fc.Arbitrary<readonly Mutation[]> = fc.array(mutation, { maxLength: 4, size: 'max' })

export const mutated = (octets: string, { is, at, text = '', size = 0 }: Mutation): string => {
  const from = at % (octets.length + 1)
  const [before, after] = [octets.slice(0, from), octets.slice(from)]
  const missing = Math.max(0, size - octets.length)
  switch (is) {
    case 'insert':
      return before + text + after
    case 'replace':
      return before + text + after.slice(text.length)
    case 'drop':
      return before + after.slice(size)
    case 'twice':
      return before + after.slice(0, size) + after
    case 'end':
      return before
    case 'case':
      return before + after.slice(0, size).replaceAll(/[A-Za-z]/g, otherCase) + after.slice(size)
    case 'number':
      return before + after.replace(/\d+/, text)
    case 'fill':
      return before + (octets[from] ?? 'x').repeat(missing) + after
    default:
      return before + (octets.slice(from, from + 2) || ' x').repeat(missing >> 1) + after
  }
}

const otherCase = (letter: string) => (letter === letter.toUpperCase() ? letter.toLowerCase() : letter.toUpperCase())

/** What was drawn, mostly with a few changes, sometimes none; now and then its beginning with the end of another one. */
export const spoilt = (octets: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(
      octets,
      fc.oneof(
        { weight: 6, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.record({ other: octets, at: place, from: place }) },
      ),
      anyMutations,
    )
    .map(([one, spliced, mutations]) => {
      const begun = spliced
        ? one.slice(0, spliced.at % (one.length + 1)) + spliced.other.slice(spliced.from % (spliced.other.length + 1))
        : one
      return mutations.reduce<string>(mutated, begun)
    })

/** The alternatives of a grammar, and of what is kept: it is as likely as one of them. */
export const eitherOf = (corpus: readonly string[], ...texts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  corpus.length === 0 ? fc.oneof(...texts) : fc.oneof(...texts, fc.constantFrom(...corpus))

/** One of these words, or any other. */
export const wordOf = (...words: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...words) },
    { weight: 1, arbitrary: anyOctets },
    { weight: 1, arbitrary: fc.constantFrom(...sharp, ...numbers) },
  )

/** A text after a pattern in which each `$` is what was drawn for it. */
export const sentence = (pattern: string, ...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((drawn) => {
    let next = 0
    return pattern.replaceAll('$', () => drawn[next++] ?? '')
  })

export const joined = (parts: fc.Arbitrary<string>, maxLength: number, between = ''): fc.Arbitrary<string> =>
  fc.array(parts, { maxLength, size: 'max' }).map((all) => all.join(between))

export const anyOctets: fc.Arbitrary<string> = fc
  .uint8Array({ maxLength: 40, size: 'max' })
  .map((octets) => Buffer.from(octets).toString('latin1'))

export const anyUtf8: fc.Arbitrary<string> = fc
  .string({ unit: 'binary', maxLength: 30 })
  .map((text) => Buffer.from(text.toWellFormed()).toString('latin1'))

/** Octets, and where their segments end. */
export type Segmented = { readonly octets: string; readonly cuts: readonly number[] }

/** None, a few, or one after every octet. */
const anyCuts = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.nat(5000), { maxLength: 8 }) },
  { weight: 1, arbitrary: fc.constant([-1]) },
)

export const segmented = (octets: fc.Arbitrary<string>): fc.Arbitrary<Segmented> => fc.record({ octets, cuts: anyCuts })

export const piecesOf = ({ octets, cuts }: Segmented): readonly string[] => {
  if (cuts[0] === -1) return octets.length < 400 ? octets.split('') : (octets.match(/.{1,97}/gs) ?? [])
  const ends = [...new Set(cuts.map((cut) => cut % (octets.length + 1)))].toSorted((a, b) => a - b)
  return [0, ...ends].map((from, index) => octets.slice(from, ends[index] ?? octets.length)).filter((one) => one !== '')
}

export const bufferOf = (octets: string): Buffer => Buffer.from(octets, 'latin1')
export const textOf = (octets: Uint8Array): string => Buffer.from(octets).toString('latin1')
