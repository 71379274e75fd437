import { Type } from 'typebox'
import { GatewayError } from '../core/errors.ts'

/** A mailbox's revision as an entity-tag (RFC 9110 §8.8.3). */
export const etagOf = (revision: number) => `"${revision}"`

/** The header of a response that tells it. */
export const etag = { ETag: { description: "The mailbox's revision.", schema: { type: 'string' } } }

/** Headers of a request that changes a mailbox. */
export const Conditional = Type.Object({
  'if-match': Type.Optional(
    Type.String({
      maxLength: 1000,
      description: 'An ETag of the mailbox: the change is made only while that is its revision; 412 otherwise.',
    }),
  ),
})

const tag = /^"(\d{1,15})"$/
/** What is not one of our tags matches nothing, and so do weak ones: the comparison is strong. */
const entityTag = /^(W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/

/** The revisions that If-Match names (RFC 9110 §13.1.1); undefined when any will do. Throws `request-invalid`. */
export const revisionsIn = (ifMatch: string | undefined): readonly number[] | undefined => {
  if (ifMatch === undefined || ifMatch.trim() === '*') return undefined
  const tags = ifMatch.split(',').map((one) => one.trim())
  if (!tags.every((one) => entityTag.test(one)))
    throw new GatewayError('request-invalid', { detail: 'If-Match must be * or a list of ETags' })
  return tags.flatMap((one) => tag.exec(one)?.slice(1).map(Number) ?? [])
}
