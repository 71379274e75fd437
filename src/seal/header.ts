import { AgeError } from './ageError.ts'

/** One way to the file key: its type and arguments, and a body that only the right key unwraps. */
export type Stanza = { readonly args: readonly [type: string, ...rest: string[]]; readonly body: Uint8Array }

export type Header = {
  readonly stanzas: readonly Stanza[]
  readonly mac: Uint8Array
  /** The octets that `mac` covers: the header up to and including `---`. */
  readonly covered: Uint8Array
}

/** Octets; room for 500 recipients. An input that shows no end of a header until there is not an age file. */
export const headerLimit = 64 * 1024

const version = 'age-encryption.org/v1'
const columns = 64

/** Base64 without padding (RFC 4648 §4). */
export const encodeBase64 = (bytes: Uint8Array): string => bytes.toBase64({ omitPadding: true })

/** Strict: no padding, no white space, no stray bits. What it takes encodes back to the same text. */
export const decodeBase64 = (text: string): Uint8Array => {
  try {
    const bytes = Uint8Array.fromBase64(text)
    if (encodeBase64(bytes) === text) return bytes
  } catch (cause) {
    throw new AgeError('header-malformed', { cause })
  }
  throw new AgeError('header-malformed')
}

const encodeStanza = ({ args, body }: Stanza): string => {
  const text = encodeBase64(body)
  const full = text.slice(0, text.length - (text.length % columns)).replaceAll(/.{64}/g, '$&\n')
  return `-> ${args.join(' ')}\n${full}${text.slice(text.length - (text.length % columns))}\n`
}

/** A header over `stanzas`, authenticated by `macOf`. */
export const encodeHeader = (stanzas: readonly Stanza[], macOf: (covered: Uint8Array) => Uint8Array): Uint8Array => {
  const covered = `${version}\n${stanzas.map(encodeStanza).join('')}---`
  return Buffer.from(`${covered} ${encodeBase64(macOf(Buffer.from(covered, 'latin1')))}\n`, 'latin1')
}

/** Where the header at the beginning of `bytes` ends; undefined when it goes on beyond them. */
export const headerEnd = (bytes: Uint8Array): number | undefined => {
  const seen = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, headerLimit))
  // No stanza line and no base64 begins with `-`, save `-> `.
  const macLine = seen.indexOf('\n---')
  const end = macLine < 0 ? -1 : seen.indexOf('\n', macLine + 1)
  if (end >= 0) return end + 1
  if (bytes.length >= headerLimit) throw new AgeError('header-malformed')
  return undefined
}

/** Where the body that begins at line `from` ends: full lines, then one that is shorter, empty at the least. */
const bodyEnd = (lines: readonly string[], from: number): number => {
  let at = from
  while (lines[at]?.length === columns) at += 1
  const last = lines[at]
  if (last === undefined || last.length > columns) throw new AgeError('header-malformed')
  return at + 1
}

const parseArgs = (line: string): Stanza['args'] => {
  const [type, ...rest] = line.slice('-> '.length).split(' ')
  const isArgument = (arg: string | undefined): arg is string => arg !== undefined && /^[\x21-\x7e]+$/.test(arg)
  if (!isArgument(type) || !rest.every(isArgument)) throw new AgeError('header-malformed')
  return [type, ...rest]
}

/**
 * Parses a whole header (age-encryption.org/v1, "Header"), strictly: what it takes, `encodeHeader` writes back to the
 * octet. Says nothing about whether the MAC is right.
 */
export const parseHeader = (bytes: Uint8Array): Header => {
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1').split('\n')
  if (lines[0] !== version || lines.pop() !== '') throw new AgeError('header-malformed')
  const stanzas: Stanza[] = []
  let at = 1
  for (let line = lines[at]; line?.startsWith('-> '); line = lines[at]) {
    const end = bodyEnd(lines, at + 1)
    stanzas.push({ args: parseArgs(line), body: decodeBase64(lines.slice(at + 1, end).join('')) })
    at = end
  }
  const macLine = lines[at]
  if (stanzas.length === 0 || at !== lines.length - 1 || !macLine?.startsWith('--- '))
    throw new AgeError('header-malformed')
  const mac = decodeBase64(macLine.slice('--- '.length))
  if (mac.length !== 32) throw new AgeError('header-malformed')
  // Who opens a file with a passphrase trusts that only those who know it could have written the file.
  if (stanzas.length > 1 && stanzas.some(({ args }) => args[0] === 'scrypt')) throw new AgeError('header-malformed')
  return { stanzas, mac, covered: bytes.subarray(0, bytes.length - macLine.length - 1 + '---'.length) }
}
