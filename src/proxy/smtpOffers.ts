import type { Extensions } from '../../actors/proxiedSmtp.ts'
import { smtpMechanism } from '../../actors/smtpProxyNotation.ts'
import type { LoginOffers } from '../../actors/smtpProxySetup.ts'

export type Offers = LoginOffers & { readonly extensions: Extensions }

/** What the lines of a reply to EHLO offer (RFC 5321 §4.1.1.1), the first being the server's name. */
export const offersIn = ([, ...texts]: readonly string[]): Offers => {
  const offered = new Map<string, readonly string[]>()
  for (const text of texts) {
    // `AUTH=LOGIN PLAIN` is what some servers say for clients of the nineties.
    const [keyword = '', ...parameters] = text
      .trim()
      .toUpperCase()
      .split(/[ \t=]+/v)
    offered.set(keyword, [...(offered.get(keyword) ?? []), ...parameters])
  }
  return {
    starttls: offered.has('STARTTLS'),
    mechanisms: (offered.get('AUTH') ?? []).map(smtpMechanism).filter((name) => name !== undefined),
    extensions: {
      size: sizeIn(offered.get('SIZE')),
      eightBit: offered.has('8BITMIME'),
      smtpUtf8: offered.has('SMTPUTF8'),
      dsn: offered.has('DSN'),
    },
  }
}

/** RFC 1870 §4: without a number, or with 0, no limit is known. */
const sizeIn = (parameters: readonly string[] | undefined) => {
  if (parameters === undefined) return undefined
  const [number = ''] = parameters
  return /^\d{1,15}$/.test(number) ? Number(number) : 0
}
