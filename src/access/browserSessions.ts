import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../core/ports.ts'
import { Secret } from '../core/secret.ts'
import type { Administrator, Administrators } from './administrators.ts'

/** Who has logged in with name and password, and shows a cookie since. In memory: they end with the gateway. */
export type BrowserSessions = {
  /** The cookie's value. */
  open(administrator: Administrator): Secret
  /** Whose cookie it is; undefined when it is nobody's any more. A change of the password elsewhere is known soon. */
  whoHas(cookie: string): Promise<Administrator | undefined>
  /** The same, and breaks no silence. */
  stillHas(cookie: string): Promise<Administrator | undefined>
  close(cookie: string): void
  /** The session goes on with a new password, all others of the same name end. */
  renew(cookie: string, administrator: Administrator): void
  /** All of a name end. */
  end(name: string): void
}

export type BrowserSessionsParts = { readonly administrators: Pick<Administrators, 'of'>; readonly clock: Clock }

const minute = 60_000
/** Milliseconds of silence, and since the login, after which a session has ended; OWASP's Session Management Cheat Sheet. */
const idle = 30 * minute
const longest = 12 * 60 * minute
/** Milliseconds for which what the log says of an administrator is not asked again. */
const knownFor = 5000
/** Sessions of one name, and of all: the oldest ends. */
const perName = 20
const capacity = 2000

type Session = { administrator: Administrator; readonly openedAt: number; usedAt: number; checkedAt: number }

const digestOf = (cookie: string) => createHash('sha256').update(cookie).digest('base64')

export const browserSessions = ({ administrators, clock }: BrowserSessionsParts): BrowserSessions => {
  // In the order in which they were opened.
  const sessions = new Map<string, Session>()
  const now = () => clock.now().getTime()
  const isOver = ({ openedAt, usedAt }: Session) => now() - openedAt >= longest || now() - usedAt >= idle
  const ofName = (name: string) => [...sessions].filter(([, { administrator }]) => administrator.name === name)

  const makeRoom = (name: string) => {
    for (const [key, session] of sessions) if (isOver(session)) sessions.delete(key)
    for (const [key] of ofName(name).slice(0, -(perName - 1))) sessions.delete(key)
    for (const key of sessions.keys()) if (sessions.size >= capacity) sessions.delete(key)
  }
  const stillTheSame = async (session: Session) => {
    if (now() - session.checkedAt < knownFor) return true
    const today = await administrators.of(session.administrator.name)
    session.checkedAt = now()
    return today?.credential === session.administrator.credential
  }

  const current = async (cookie: string): Promise<Session | undefined> => {
    const key = digestOf(cookie)
    const session = sessions.get(key)
    if (!session) return undefined
    if (!isOver(session) && (await stillTheSame(session))) return session
    sessions.delete(key)
    return undefined
  }

  return {
    open: (administrator) => {
      makeRoom(administrator.name)
      const cookie = randomBytes(32).toString('base64url')
      sessions.set(digestOf(cookie), { administrator, openedAt: now(), usedAt: now(), checkedAt: now() })
      return new Secret(cookie)
    },
    whoHas: async (cookie) => {
      const session = await current(cookie)
      if (session) session.usedAt = now()
      return session?.administrator
    },
    stillHas: async (cookie) => (await current(cookie))?.administrator,
    close: (cookie) => void sessions.delete(digestOf(cookie)),
    renew: (cookie, administrator) => {
      const own = digestOf(cookie)
      for (const [key] of ofName(administrator.name)) if (key !== own) sessions.delete(key)
      const session = sessions.get(own)
      if (session) session.administrator = administrator
    },
    end: (name) => {
      for (const [key] of ofName(name)) sessions.delete(key)
    },
  }
}
