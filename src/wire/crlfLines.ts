const CR = 0x0d
const LF = 0x0a
const NUL = 0x00

const none = Buffer.alloc(0)
const crlf = Buffer.from('\r\n')

/** Makes the line ends of a text the same, over any segmentation. */
export type CrlfLines = {
  /** What these octets are, as far as that is known. May be the given chunk itself: nothing is copied without need. */
  push(chunk: Uint8Array): Uint8Array
  /** What is left. */
  end(): Uint8Array
}

/**
 * Every line end becomes CRLF: a bare LF, and a bare CR. NUL is left out: it has no place in a mail (RFC 5322 §4), and a server that
 * drops it would see a line end and a dot together where none were. So nothing comes out that any server could take for
 * the end of the data once its dots are stuffed.
 */
export const crlfLines = (): CrlfLines => {
  // A CR whose LF has not come yet.
  let open = false
  return {
    push: (chunk) => {
      if (chunk.length === 0) return chunk
      if (!open && isClean(chunk)) return chunk
      const rewritten = rewrite(chunk, open)
      open = rewritten.open
      return rewritten.octets
    },
    end: () => {
      const rest = open ? crlf : none
      open = false
      return rest
    },
  }
}

/** Whether there is nothing to change, and no line end lies across the chunk's own end. */
const isClean = (chunk: Uint8Array): boolean => {
  for (let i = 0; i < chunk.length; i++) {
    const octet = chunk[i] ?? 0
    // Letters are past all that matter: one comparison for most octets.
    if (octet > CR) continue
    if (octet === CR) {
      if (chunk[++i] !== LF) return false
    } else if (octet === LF || octet === NUL) return false
  }
  return true
}

const rewrite = (chunk: Uint8Array, wasOpen: boolean): { readonly octets: Uint8Array; readonly open: boolean } => {
  const octets = Buffer.allocUnsafe(2 * chunk.length + crlf.length)
  let length = 0
  let open = wasOpen
  const endLine = () => {
    octets[length++] = CR
    octets[length++] = LF
    open = false
  }
  for (const octet of chunk) {
    if (octet === NUL) continue
    if (octet === LF) endLine()
    else {
      if (open) endLine()
      if (octet === CR) open = true
      else octets[length++] = octet
    }
  }
  return { octets: octets.subarray(0, length), open }
}
