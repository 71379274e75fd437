import type { Logger } from '../core/ports.ts'
import type { AccessParts } from './accessParts.ts'
import { type AdministratorLogin, administratorLogin } from './administratorLogin.ts'
import { type Administrators, createAdministrators } from './administrators.ts'
import { firstName, forgetFirstPassword, handedOverUntil } from './firstPassword.ts'
import { type BrowserSessions, browserSessions } from './browserSessions.ts'
import { nameIn } from './typed.ts'
import { createTokens, type Tokens } from './tokens.ts'

/** Who may use the admin API, besides whoever has the token that lies in the data directory. */
export type AccessControl = {
  readonly administrators: Administrators
  readonly tokens: Tokens
  readonly sessions: BrowserSessions
  readonly login: AdministratorLogin
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
  const made = createAdministrators(parts)
  /** The password that lies in a file is of no use any more. */
  const forgetful = <T extends { readonly name: string }>(changed: T) => {
    if (changed.name === firstName) forgetFirstPassword(parts.firstPasswordFile)
    return changed
  }
  const administrators: Administrators = {
    ...made,
    reset: async (...args) => forgetful(await made.reset(...args)),
    remove: async (name, cause) => {
      await made.remove(name, cause)
      forgetful({ name: nameIn(name) })
    },
    change: async (...args) => forgetful(await made.change(...args)),
  }
  return {
    administrators,
    tokens: createTokens(parts),
    sessions: browserSessions({ administrators, clock: parts.clock }),
    login: administratorLogin({ ...parts, administrators }),
    oneTimeUntil: () => handedOverUntil(parts.clock),
  }
}
