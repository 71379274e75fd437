import type { FastifyRequest } from 'fastify'

const safe = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Whether a browser may have sent a change on behalf of another site. Browsers say where a request comes from (Fetch Metadata,
 * or Origin: RFC 6454 §7); a cookie is believed only together with that. `unsaid` is the answer where neither is said.
 */
export const isCrossSite = ({ method, headers }: FastifyRequest, unsaid: boolean): boolean => {
  if (safe.has(method)) return false
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site !== 'same-origin'
  const { origin, host } = headers
  return origin === undefined ? unsaid : origin.toLowerCase() !== `https://${(host ?? '').toLowerCase()}`
}
