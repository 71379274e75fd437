import type { Logger } from '../core/ports.ts'
import type { AccessParts } from './accessParts.ts'
import { type AdministratorLogin, administratorLogin } from './administratorLogin.ts'
import { type Administrators, createAdministrators } from './administrators.ts'
import { firstName, forgetFirstPassword, handedOverUntil } from './firstPassword.ts'
import { type BrowserSessions, browserSessions } from './browserSessions.ts'
import { createTokens, type Tokens } from './tokens.ts'

/** Who may use the admin API, besides whoever has the token that lies in the data directory. */
export type AccessControl = {
  readonly administrators: Administrators
  readonly tokens: Tokens
  readonly sessions: BrowserSessions
  readonly login: AdministratorLogin
  /** See `Administrators`; what lies in a file for the first one is taken away. */
  readonly changePassword: Administrators['change']
  /** Until when a password for once works that is given out now. */
  oneTimeUntil(): Date
}

export type AccessControlParts = AccessParts & {
  readonly logger: Logger
  /** Where the first administrator's password lies until it is changed. */
  readonly firstPasswordFile: string
  refused(source: string, kind: string): void
}

export const openAccess = (parts: AccessControlParts): AccessControl => {
  const administrators = createAdministrators(parts)
  return {
    administrators,
    tokens: createTokens(parts),
    sessions: browserSessions({ administrators, clock: parts.clock }),
    login: administratorLogin({ ...parts, administrators }),
    changePassword: async (of, password, cause) => {
      const changed = await administrators.change(of, password, cause)
      if (changed.name === firstName) forgetFirstPassword(parts.firstPasswordFile)
      return changed
    },
    oneTimeUntil: () => handedOverUntil(parts.clock),
  }
}
