import { GatewayError } from '../core/errors.ts'
import { origin, type Position } from '../core/ids.ts'
import type { StorePosition } from './eventStoreDbClient.ts'

/** Digits of the largest offset, so that positions compare as strings: by commit, then by prepare. */
const digits = 19
const pattern = /^(\d{19})-(\d{19})$/

export const positionOf = ({ commit, prepare }: StorePosition) =>
  `${String(commit).padStart(digits, '0')}-${String(prepare).padStart(digits, '0')}` as Position

/** Throws `request-invalid` for what is no position of this kind of log. */
export const storePositionOf = (position: Position): StorePosition | 'start' => {
  if (position === origin) return 'start'
  const [, commit, prepare] = pattern.exec(position) ?? []
  if (commit !== undefined && prepare !== undefined) return { commit: BigInt(commit), prepare: BigInt(prepare) }
  throw new GatewayError('request-invalid', { detail: `Not a position of this log: ${position}` })
}
