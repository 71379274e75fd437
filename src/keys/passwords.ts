import { randomBytes } from 'node:crypto'
import { GatewayError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'

/** scrypt's cost, 2^n: of 160 random bits nothing can be guessed; of what people choose, each guess costs 1.2 s. */
export const costOfGenerated = 14
export const costOfChosen = 18

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** 160 random bits in lower-case base32 (RFC 4648 §6), groups of four: safe in shells, URLs and on the phone. */
export const generatePassword = (): Secret => {
  const letters = Array.from(randomBytes(32), (byte) => alphabet.charAt(byte % alphabet.length)).join('')
  return new Secret(letters.replace(/.{4}(?=.)/g, '$&-'))
}

const shortest = 12
const longest = 128

/**
 * A password that somebody chose. Printable ASCII, because mail programs do not agree on how POP3 carries anything else,
 * and no space at its ends, because some cut them off. Throws `request-invalid`, with nothing of it.
 */
export const chosenPassword = (text: string): Secret => {
  if (text.length < shortest || text.length > longest || !/^[!-~](?:[ -~]*[!-~])?$/.test(text)) {
    const rule = `must be ${shortest} to ${longest} printable ASCII characters, without a space at either end`
    throw new GatewayError('request-invalid', { detail: `The new password ${rule}` })
  }
  return new Secret(text)
}
