// RFC 1123 §2.1 labels of RFC 1034 §3.5; a last label that is a number, in hexadecimal too, would be an IPv4 address to resolvers
// (RFC 3696 §2).
const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const pattern = new RegExp(`^(?=.{1,253}$)(?:${label}\\.)*(?!(?:\\d+|0x[\\da-f]*)$)${label}$`)

/** A host name in lower case, international ones as `xn--…`; undefined for what is none, IP addresses among them. */
export const hostNameOf = (text: string): string | undefined => {
  const lower = text.toLowerCase()
  return pattern.test(lower) ? lower : undefined
}
