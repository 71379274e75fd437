/** A value of the program as JSON tells it: what is not known is null, and not left out. */
export const plain = (value: object): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(value).map(([name, one]) => [name, (one as unknown) ?? null]))
