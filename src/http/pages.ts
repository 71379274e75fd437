import { Type } from 'typebox'
import type { Page } from '../../projections/projection.ts'
import type { Position } from '../core/ids.ts'

export const after = Type.Optional(
  Type.String({ maxLength: 200, description: 'The `next` of the page before, asked for in the same way.' }),
)
const defaultLimit = 100
export const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: defaultLimit }))
export const next = Type.Union([Type.String(), Type.Null()], {
  description: 'Where the next page begins; null when this is the last one.',
})

/** How a reader of views is asked. A cursor that no page has given finds what it finds: it is only compared. */
export const pageRequest = ({ after, limit = defaultLimit }: { readonly after?: string; readonly limit?: number }) => ({
  after: after as Position | undefined,
  limit,
})

export const nextOf = (page: Page<unknown>): string | null => page.next ?? null
