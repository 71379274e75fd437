import { createHmac, timingSafeEqual } from 'node:crypto'
import { GatewayError } from '../core/errors.ts'

/**
 * Cursors of pages: where the next one begins, of which list, and a digest under the gateway's key, so that one that no
 * page has given, or one of another list, is refused. They outlive a restart.
 */
export type Cursors = {
  /** `list` says what was asked for: a cursor is good for the same question only. */
  give(place: string, list: readonly string[]): string
  /** The place. Throws `request-invalid`. */
  take(cursor: string, list: readonly string[]): string
}

/** Octets of the digest: nobody may try often enough to guess as many. */
const digestSize = 12

export const cursorsUnder = (key: Uint8Array): Cursors => {
  const digestOf = (place: string, list: readonly string[]) =>
    createHmac('sha256', key)
      .update(JSON.stringify(['cursor', place, ...list]))
      .digest()
      .subarray(0, digestSize)
  return {
    give: (place, list) => Buffer.concat([digestOf(place, list), Buffer.from(place)]).toString('base64url'),
    take: (cursor, list) => {
      const octets = Buffer.from(cursor, 'base64url')
      const place = octets.subarray(digestSize).toString()
      const given = octets.subarray(0, digestSize)
      if (given.length === digestSize && timingSafeEqual(given, digestOf(place, list))) return place
      const detail = 'No page of this list has given this cursor: begin again without it'
      throw new GatewayError('request-invalid', { detail })
    },
  }
}
