import { GatewayError } from '../core/errors.ts'
import type { Secret } from '../core/secret.ts'

// What people type about access. Everything here throws `request-invalid`, and names the field.

const namePattern = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/

const normal = (typed: string) => typed.trim().toLowerCase()
/** Nobody's. */
const noName = '-'

/** Names are the same in capital letters; what cannot be one is nobody's. */
export const nameIn = (typed: string): string => (namePattern.test(normal(typed)) ? normal(typed) : noName)

export const validName = (typed: string): string => {
  if (nameIn(typed) !== noName) return nameIn(typed)
  throw invalid('name must be 1 to 63 of a-z, 0-9, "." and "-", with a letter or digit at both ends')
}

const shortest = 12
const longest = 256

/** NIST SP 800-63B §5.1.1.2: length counts, and nothing that anybody guesses first. */
export const validPassword = (password: Secret, name: string): Secret => {
  const text = password.reveal().normalize('NFC')
  const characters = Array.from(text).length
  if (characters < shortest || characters > longest || /\p{Cc}/u.test(text))
    throw invalid(`The new password must be ${shortest} to ${longest} characters without control characters`)
  if (new Set(text).size < 5 || text.toLowerCase().replaceAll(name, '').length < shortest / 2)
    throw invalid('The new password is too easily guessed: choose several words that do not belong together')
  return password
}

/** What a token is called. */
export const validLabel = (typed: string | undefined): string | null => {
  const label = typed?.trim() ?? ''
  if (label.length > 100 || /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u{202A}-\u{202E}\u{2066}-\u{2069}]/u.test(label))
    throw invalid('name must be at most 100 printable characters')
  return label === '' ? null : label
}

const invalid = (detail: string) => new GatewayError('request-invalid', { detail })
