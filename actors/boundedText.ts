/** Lines of visible ASCII, kept as octets: nothing else of them stays in memory. */
export type BoundedText = {
  /** Whether there was room for the line and its end. */
  push(line: string): boolean
  toString(): string
}

/** Most sessions leave no more than this. */
const firstOctets = 1024

export const boundedText = (limit: number): BoundedText => {
  let octets = Buffer.allocUnsafe(Math.min(firstOctets, limit))
  let length = 0
  const grow = (needed: number) => {
    const larger = Buffer.allocUnsafe(Math.min(Math.max(2 * octets.length, needed), limit))
    octets.copy(larger, 0, 0, length)
    octets = larger
  }
  return {
    push: (line) => {
      const needed = length + line.length + 1
      if (needed > limit) return false
      if (needed > octets.length) grow(needed)
      length += octets.write(line, length, 'latin1')
      octets[length++] = 0x0a
      return true
    },
    toString: () => octets.toString('latin1', 0, length),
  }
}
