import type { Secret } from '../core/secret.ts'
import { AgeError } from './ageError.ts'
import { payloadOf, readPreamble, sealUnder } from './file.ts'
import { decryptFileKey, encryptFileKey, newFileKey } from './fileKey.ts'
import { decodeBase64, encodeBase64, type Stanza } from './header.ts'
import { randomBytes, stretch } from './provider.ts'

const stanzaType = 'scrypt'
const saltSize = 16

const wrappingKey = (passphrase: Secret, salt: Uint8Array, logN: number): Promise<Uint8Array> =>
  stretch(passphrase.reveal(), Buffer.concat([Buffer.from('age-encryption.org/v1/scrypt'), salt]), logN)

/**
 * An age v1 file that `passphrase` opens (age-encryption.org/v1, "The scrypt recipient type"). `logN`, 1 to 30, is what
 * an attempt costs: 2^(logN + 10) octets of memory, on one of Node's pool threads.
 */
export const sealWithPassphrase = async (
  bytes: Uint8Array,
  passphrase: Secret,
  { logN }: { readonly logN: number },
): Promise<Uint8Array> => {
  if (!Number.isInteger(logN) || logN < 1 || logN > 30) throw new RangeError('logN must be an integer from 1 to 30')
  const fileKey = newFileKey()
  const salt = randomBytes(saltSize)
  const body = encryptFileKey(fileKey, await wrappingKey(passphrase, salt, logN))
  const sealing = sealUnder(fileKey, [{ args: [stanzaType, encodeBase64(salt), String(logN)], body }])
  return Buffer.concat([...sealing.update(bytes), ...sealing.final()])
}

const parseArgs = ({ args: [, salt, workFactor, ...excess] }: Stanza) => {
  if (salt === undefined || workFactor === undefined || excess.length > 0) throw new AgeError('header-malformed')
  const bytes = decodeBase64(salt)
  if (bytes.length !== saltSize || !/^[1-9][0-9]*$/.test(workFactor)) throw new AgeError('header-malformed')
  return { salt: bytes, logN: Number(workFactor) }
}

const unwrapFileKey = async (stanza: Stanza, passphrase: Secret, maxLogN: number): Promise<Uint8Array> => {
  const { salt, logN } = parseArgs(stanza)
  if (logN > maxLogN) throw new AgeError('work-factor-too-high')
  const fileKey = decryptFileKey(stanza, await wrappingKey(passphrase, salt, logN))
  if (fileKey === undefined) throw new AgeError('passphrase-wrong')
  return fileKey
}

/**
 * The plaintext of a file that was sealed with a passphrase, all or nothing. Throws an `AgeError`: `passphrase-wrong`,
 * `work-factor-too-high` before any work is done, `no-identity-matched` for a file sealed to recipients, or what is
 * wrong with the file.
 */
export const openWithPassphrase = async (
  file: Uint8Array,
  passphrase: Secret,
  { maxLogN }: { readonly maxLogN: number },
): Promise<Uint8Array> => {
  const preamble = readPreamble(file)
  if (preamble === undefined) throw new AgeError('header-truncated')
  const stanza = preamble.header.stanzas.find(({ args }) => args[0] === stanzaType)
  if (stanza === undefined) throw new AgeError('no-identity-matched')
  const fileKey = await unwrapFileKey(stanza, passphrase, maxLogN)
  const plaintext: Uint8Array[] = []
  const payload = payloadOf(fileKey, preamble, (bytes) => plaintext.push(bytes))
  payload.update(file.subarray(preamble.end))
  payload.final()
  return Buffer.concat(plaintext)
}

/** What an attempt at this file costs, 2^n; undefined for one that is sealed to recipients. */
export const workFactorOf = (file: Uint8Array): number | undefined => {
  const stanza = readPreamble(file)?.header.stanzas.find(({ args }) => args[0] === stanzaType)
  return stanza && parseArgs(stanza).logN
}
