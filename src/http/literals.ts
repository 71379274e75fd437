import { type TLiteral, type TUnion, Type } from 'typebox'

/** One of these words, and no other. */
export const literals = <const T extends readonly string[]>(
  ...words: T
): TUnion<{ -readonly [K in keyof T]: TLiteral<T[K]> }> => {
  // `map` forgets which word stands where.
  const union: unknown = Type.Union(words.map((word) => Type.Literal(word)))
  return union as TUnion<{ -readonly [K in keyof T]: TLiteral<T[K]> }>
}
