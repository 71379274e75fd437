import type { AddressInfo } from 'node:net'
import { GatewayError } from '../core/errors.ts'
import { strongTls } from '../wire/strongTls.ts'
import type { AdminApi, ServerCertificate } from './buildApp.ts'

export type Admin = {
  /** Where it listens; undefined when it is turned off. */
  readonly address: { readonly protocol: 'https'; readonly host: string; readonly port: number } | undefined
  /** New connections get this certificate. */
  renew(certificate: ServerCertificate): void
  /** No new requests; running ones have `grace` milliseconds, then their connections are cut. Idempotent. */
  close(grace?: number): Promise<void>
}

export type AdminParts = {
  readonly api: AdminApi
  readonly host: string
  readonly port: number | 'off'
  readonly certificate: ServerCertificate
}

/** Milliseconds: the opening of a large message may take longer. */
const usualGrace = 10_000

/** The admin API over HTTPS. Rejects with `start-refused` when it cannot listen. */
export const startAdmin = async ({ api, host, port, certificate }: AdminParts): Promise<Admin> => {
  if (port === 'off') return { address: undefined, renew: () => undefined, close: () => Promise.resolve() }
  // Loaded now and not before: the framework takes its time, and mail need not wait for it.
  const { buildApp } = await import('./buildApp.ts')
  const app = await buildApp(api, certificate)
  try {
    await app.listen({ host, port })
  } catch (error) {
    await app.close()
    throw refusal(host, port, error)
  }
  const bound = app.server.address() as AddressInfo // a TCP listener's address is never a string
  const close = async (grace: number) => {
    const hurry = setTimeout(() => app.server.closeAllConnections(), grace)
    await app.close()
    clearTimeout(hurry)
  }
  let closing: Promise<void> | undefined
  return {
    address: { protocol: 'https', host: bound.address, port: bound.port },
    renew: (renewed) => app.server.setSecureContext({ ...strongTls, ...renewed }),
    close: (grace = usualGrace) => (closing ??= close(grace)),
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program is listening there',
  EACCES: 'that port needs more privilege',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'that host name is not known',
}

const refusal = (host: string, port: number, cause: unknown) => {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const reason = reasons[code] ?? (cause instanceof Error ? cause.message : String(cause))
  const at = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  return new GatewayError('start-refused', { detail: `The admin API cannot listen on ${at}: ${reason}.`, cause })
}
