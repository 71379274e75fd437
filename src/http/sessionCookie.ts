import type { FastifyRequest } from 'fastify'
import type { Secret } from '../core/secret.ts'

/** RFC 6265bis §4.1.3.2: with this prefix a browser takes it over TLS only, for this host and every path. */
export const cookieName = '__Host-sealpost'
const attributes = 'Path=/; Secure; HttpOnly; SameSite=Strict'
const form = /^[A-Za-z0-9_-]{43}$/

export const cookieOf = ({ headers: { cookie = '' } }: FastifyRequest): string | undefined => {
  const pairs = cookie.split(';').map((pair) => pair.trim())
  const value = pairs.find((pair) => pair.startsWith(`${cookieName}=`))?.slice(cookieName.length + 1)
  return value !== undefined && form.test(value) ? value : undefined
}

/** Set-Cookie; it ends with the browser. */
export const setCookie = (value: Secret): string => `${cookieName}=${value.reveal()}; ${attributes}`
export const clearCookie = `${cookieName}=; ${attributes}; Max-Age=0`
