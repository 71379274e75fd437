import type { ReplyName } from '../../actors/smtpReplies.ts'

/** What the parameters of MAIL declare. */
export type MailParameters = {
  /** Octets (RFC 1870); 0 when the sender did not say. */
  readonly size: number
  /** RFC 6531: addresses and header lines may be in UTF-8. */
  readonly smtpUtf8: boolean
}

/** What a parameter's value declares; undefined when it is not valid. */
export type Reader<D> = (value: string | undefined) => Partial<D> | undefined
// An own property of this table only: `constructor` is no parameter.
export type Readers<D> = ReadonlyMap<string, Reader<D>>

export const mailReaders: Readers<MailParameters> = new Map<string, Reader<MailParameters>>([
  ['SIZE', (value) => (value !== undefined && /^\d{1,20}$/v.test(value) ? { size: Number(value) } : undefined)],
  // RFC 6152. Nothing depends on it: octets are kept as they come.
  ['BODY', (value) => (value !== undefined && /^(?:7BIT|8BITMIME)$/iv.test(value) ? {} : undefined)],
  // RFC 4954 §5. Nothing depends on it either: who has authenticated himself is known.
  ['AUTH', (value) => (value === undefined ? undefined : {})],
  ['SMTPUTF8', (value) => (value === undefined ? { smtpUtf8: true } : undefined)],
])

const syntax = /^([A-Za-z0-9][A-Za-z0-9\-]*)(?:=([^=]+))?$/v

/**
 * The parameters of a command (RFC 5321 §4.1.2 `esmtp-param`) as declared beyond what holds without them, or the name of the
 * reply that refuses them.
 */
export const parseParameters = <D>(parameters: readonly string[], readers: Readers<D>, without: D): D | ReplyName => {
  const seen = new Set<string>()
  let declared = without
  for (const parameter of parameters) {
    const [, keyword, value] = syntax.exec(parameter) ?? []
    const key = keyword?.toUpperCase()
    if (key === undefined || seen.has(key)) return 'parameterSyntax'
    seen.add(key)
    const reader = readers.get(key)
    if (reader === undefined) return 'parameterUnknown'
    const read = reader(value)
    if (read === undefined) return 'parameterSyntax'
    declared = { ...declared, ...read }
  }
  return declared
}

export const parseMailParameters = (parameters: readonly string[]): MailParameters | ReplyName =>
  parseParameters(parameters, mailReaders, { size: 0, smtpUtf8: false })
