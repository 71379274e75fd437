import { keepChunk } from '../core/chunks.ts'

const LF = 0x0a
const CR = 0x0d

/** Octets of a header that is looked at; the largest that mail systems let through (Exchange's) have as many. */
const maxHeader = 128 * 1024
/** Lines of it: the verifier holds an object for each as long as the message comes in. A header of that size has no more. */
const maxLines = 2_000
/** White space in a row: the verifier goes through a run of it as often as it is long. */
const maxSpace = 256
/** Each signature costs its own digest of the body and a question to the DNS (RFC 6376 §6.1 lets a verifier stop). */
const maxSignatures = 10

/** What is to be done about a message's signatures: nothing, because there are none or too much; or verify them. */
export type Signed = 'unsigned' | 'excessive' | 'signed'

/** Finds out from the header alone whether there is anything to verify. */
export type SignedHeader = {
  /** Undefined until the header has ended. */
  push(chunk: Uint8Array): Signed | undefined
  /** The message has ended, and so has its header. */
  end(): Signed
}

const signature = /^[ \t]*dkim-signature[ \t\r\n]*:/gim

export const signedHeader = (): SignedHeader => {
  const pieces: Uint8Array[] = []
  let octets = 0
  // The last two of the octets so far. A header that begins with an empty line has ended.
  let before = LF
  let last = LF

  const endOf = (chunk: Uint8Array): number => {
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) {
      const previous = at > 0 ? chunk[at - 1] : last
      const beforeThat = at > 1 ? chunk[at - 2] : at === 1 ? last : before
      if (previous === LF || (previous === CR && beforeThat === LF)) return at + 1
    }
    return -1
  }
  const judge = (): Signed => {
    const text = Buffer.concat(pieces).toString('latin1')
    const found = text.match(signature)?.length ?? 0
    pieces.length = 0
    if (found === 0) return 'unsigned'
    const lines = text.split('\n', maxLines + 2).length - 1
    return found > maxSignatures || lines > maxLines || longestSpace(text) > maxSpace ? 'excessive' : 'signed'
  }
  return {
    push(chunk) {
      if (chunk.length === 0) return undefined
      const end = endOf(chunk)
      const piece = end < 0 ? chunk : chunk.subarray(0, end)
      keepChunk(pieces, piece)
      octets += piece.length
      before = (chunk.length > 1 ? chunk.at(-2) : last) ?? LF
      last = chunk.at(-1) ?? LF
      if (octets > maxHeader) return 'excessive'
      return end < 0 ? undefined : judge()
    },
    end: judge,
  }
}

const longestSpace = (text: string): number => {
  let [longest, run] = [0, 0]
  for (const letter of text) {
    run = letter === ' ' || letter === '\t' || letter === '\r' || letter === '\n' ? run + 1 : 0
    if (run > longest) longest = run
  }
  return longest
}
