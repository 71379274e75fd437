import { argon2, type Argon2Parameters, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { Secret } from '../core/secret.ts'
import { oneAtATime } from './oneAtATime.ts'

/** argon2id, 46 MiB, one pass: of the equal choices of OWASP's Password Storage Cheat Sheet. Some 60 ms here. */
const cost = { memory: 47_104, passes: 1, parallelism: 1 }
/** Octets; RFC 9106 §4. */
const tagLength = 32
const saltLength = 16

/**
 * Two queues, one computation of each at a time; 64 waiting take about four seconds. `anyone` is where strangers wait. In `known`
 * wait those whom a flood of strangers must not keep out: who logged in lately from where they are, and who is in already.
 */
const turns = { anyone: oneAtATime(64), known: oneAtATime(64) }
export type Turn = keyof typeof turns

const derive = promisify(argon2)

type Cost = typeof cost
type Asked = { readonly password: Secret; readonly turn: Turn }
const tagOf = ({ password, turn }: Asked, nonce: Uint8Array, cost: Cost): Promise<Buffer> => {
  const message = password.reveal().normalize('NFC')
  const parameters: Argon2Parameters = { message, nonce, tagLength, ...cost }
  return turns[turn](() => derive('argon2id', parameters))
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replaceAll('=', '')
const written = ({ memory, passes, parallelism }: Cost, salt: Uint8Array, tag: Uint8Array) =>
  `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(salt)}$${base64(tag)}`

const form = /^\$argon2id\$v=19\$m=(\d{1,8}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/

/** In the form that argon2 programs write ("PHC string"); for who is in already. Rejects with `overloaded`. */
export const hashPassword = async (password: Secret): Promise<string> => {
  const salt = randomBytes(saltLength)
  return written(cost, salt, await tagOf({ password, turn: 'known' }, salt, cost))
}

/** Whether the hash is of the password; no hash costs the same time and is of none. Rejects with `overloaded`. */
export const isHashOf = async (hash: string | undefined, password: Secret, turn: Turn): Promise<boolean> => {
  const asked = { password, turn }
  const [, memory, passes, parallelism, salt = '', tag = ''] = form.exec(hash ?? '') ?? []
  if (memory === undefined) {
    await tagOf(asked, randomBytes(saltLength), cost)
    return false
  }
  const paid = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) }
  return timingSafeEqual(await tagOf(asked, Buffer.from(salt, 'base64'), paid), Buffer.from(tag, 'base64'))
}
