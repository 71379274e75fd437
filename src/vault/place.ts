import { GatewayError } from '../core/errors.ts'
import { isVaultKey, type MessageId, type VaultKey } from '../core/ids.ts'

/** Where an object lies: the UTC day of its key (`yyyy-mm-dd`) and its message id. Safe to build a path of. */
export type Place = { readonly key: VaultKey; readonly day: string; readonly id: MessageId }

/** A key taken apart. What is no `VaultKey`, whatever its type claims, is refused with `request-invalid`. */
export const placeOf = (key: VaultKey): Place => {
  if (!isVaultKey(key)) throw new GatewayError('request-invalid', { detail: 'Not a vault key' })
  // The pattern has just been checked: ten characters of day, a slash, an id.
  return { key, day: key.slice(0, 10), id: key.slice(11) as MessageId }
}

export const keyOf = (day: string, id: string) => `${day}/${id}` as VaultKey

/** Whether keys of this day (or, cut short, year or month) can begin with the prefix. */
export const mayBegin = (dayOrPart: string, prefix: string) =>
  dayOrPart.startsWith(prefix) || prefix.startsWith(dayOrPart)
