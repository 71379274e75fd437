import { Type } from 'typebox'
import type { Page } from '../../projections/projection.ts'
import type { Position } from '../core/ids.ts'
import { largestPage } from '../core/pageSize.ts'
import type { Cursors } from './cursors.ts'

export const after = Type.Optional(
  Type.String({ maxLength: 200, description: 'The `next` of the page before, asked for in the same way.' }),
)
export const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: largestPage, default: largestPage }))
export const next = Type.Union([Type.String(), Type.Null()], {
  description: 'Where the next page begins; null when this is the last one.',
})
export const order = Type.Optional(
  Type.Union([Type.Literal('oldest'), Type.Literal('newest')], {
    default: 'oldest',
    description: '`oldest` first: what arrives comes after every page; `newest` first: before the first one.',
  }),
)

type Asked = { readonly after?: string; readonly limit?: number }

/** One list and its cursors; `list` names it, and everything by which it was filtered. */
export const pagesOf = (cursors: Cursors, ...list: readonly (string | undefined)[]) => {
  const question = list.map((one) => one ?? '')
  return {
    /** How a reader of views is asked. Throws `request-invalid` for a cursor that no page of this list has given. */
    request: ({ after = '', limit = largestPage }: Asked) => ({
      after: after === '' ? undefined : (cursors.take(after, question) as Position),
      limit,
    }),
    next: ({ next }: Pick<Page<unknown>, 'next'> | { readonly next: string | undefined }): string | null =>
      next === undefined ? null : cursors.give(next, question),
  }
}
