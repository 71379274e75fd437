import { largestPage } from '../core/pageSize.ts'
import type { Client } from './client.ts'
import { type Given, UsageError } from './command.ts'

type Paged = { readonly next: string | null }

/** The pages of a list of the API, from the first to the last. */
export async function* pagesOf<P extends Paged>(
  client: Client,
  path: string,
  filters: Readonly<Record<string, string>> = {},
): AsyncGenerator<P> {
  const query = new URLSearchParams({ ...filters, limit: String(largestPage) })
  for (;;) {
    const page = await client.get<P>(`${path}?${query.toString()}`)
    yield page
    if (page.next === null) return
    query.set('after', page.next)
  }
}

/** The options with which a command shows one page. */
export const pageOptions = {
  after: { value: 'CURSOR', about: 'The "next" of the page before' },
  limit: { value: 'N', about: `At most so many, 1 to ${largestPage}; otherwise ${largestPage}` },
} as const

/** What they ask for. Throws `UsageError`. */
export const pageAsked = (given: Given): Readonly<Record<string, string>> => {
  const [after, limit = String(largestPage)] = [given.optional('after'), given.optional('limit')]
  if (!/^\d{1,4}$/.test(limit) || Number(limit) < 1 || Number(limit) > largestPage)
    throw new UsageError(`--limit must be a number from 1 to ${largestPage}`)
  return { limit, ...(after !== undefined && { after }) }
}
