import { Resolver } from 'node:dns/promises'

/** What the domain tells senders; undefined: it could not be asked. */
export type Announced = {
  /** Host names in the order of preference; without any the domain itself (RFC 5321 §5.1). */
  readonly mx: readonly string[] | undefined
  /** The `v=STSv1` records at `_mta-sts.` (RFC 8461 §3.1). */
  readonly policyRecords: readonly string[] | undefined
}

/** Milliseconds for one question, and how often it is asked. */
const patience = { timeout: 3_000, tries: 2 }

/** Asks the system's name servers, or the one given as `address` or `address:port`. */
export const announcedBy = async (domain: string, server?: string): Promise<Announced> => {
  const resolver = new Resolver(patience)
  if (server !== undefined) resolver.setServers([server])
  const [mx, records] = await Promise.all([
    known(resolver.resolveMx(domain)),
    known(resolver.resolveTxt(`_mta-sts.${domain}`)),
  ])
  return {
    mx: mx?.toSorted((a, b) => a.priority - b.priority).map(({ exchange }) => exchange.toLowerCase()),
    policyRecords: records?.map((parts) => parts.join('')).filter((text) => /^v=STSv1\s*;/.test(text)),
  }
}

const known = async <T>(answer: Promise<readonly T[]>): Promise<readonly T[] | undefined> => {
  try {
    return await answer
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    // Those say that there is none; all others say nothing.
    return code === 'ENODATA' || code === 'ENOTFOUND' ? [] : undefined
  }
}
