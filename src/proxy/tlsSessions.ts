/** Milliseconds for which a session may stand for the certificate that was verified when it began. */
const lifetime = 10 * 60_000
/** Connections to one server that may begin with what earlier ones have left. */
const perServer = 32
const servers = 50

type Kept = { readonly session: Buffer; readonly until: number }

/**
 * TLS sessions with remote servers, to be resumed (RFC 8446 §2.2): the handshake then costs neither a signature nor the
 * verification of a certificate. Only what a verified connection gave may be kept. `server` is the name that the certificate was
 * valid for, with the port.
 */
export type TlsSessions = {
  keep(server: string, session: Buffer): void
  /** The newest; each is given once, so that who watches cannot tell that two connections are of one client (RFC 8446 §C.4). */
  take(server: string): Buffer | undefined
}

/** `now` in milliseconds. */
export const tlsSessions = (now: () => number = () => performance.now()): TlsSessions => {
  const kept = new Map<string, Kept[]>()
  const living = (server: string) => (kept.get(server) ?? []).filter(({ until }) => until > now())
  const set = (server: string, sessions: Kept[]) => {
    kept.delete(server)
    if (sessions.length > 0) kept.set(server, sessions)
  }
  return {
    keep: (server, session) => {
      set(server, [...living(server), { session, until: now() + lifetime }].slice(-perServer))
      const [oldest] = kept.keys()
      if (kept.size > servers && oldest !== undefined) kept.delete(oldest)
    },
    take: (server) => {
      const sessions = living(server)
      const newest = sessions.pop()
      set(server, sessions)
      return newest?.session
    },
  }
}
