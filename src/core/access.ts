import type { Principal } from './events.ts'
import type { MailboxId } from './ids.ts'

/**
 * `admin` may do everything. `operator` runs the mailboxes: no keys, holds, destruction or access, and opens no mail.
 * `auditor` sees everything, opens mail with its mailbox's password, and changes nothing.
 */
export const roles = ['admin', 'operator', 'auditor'] as const
export type Role = (typeof roles)[number]
export const isRole = (text: string): text is Role => roles.some((one) => one === text)

/**
 * What a thing that can be asked for takes. `public`: nothing; `self`: to be somebody, even one who has to change the
 * password first; `read`: any role; `review`: what auditors are there for; `operate`, `administer`: changes.
 */
export type Access = 'public' | 'self' | 'read' | 'review' | 'operate' | 'administer'

const allowed: Readonly<Record<Access, readonly Role[]>> = {
  public: roles,
  self: roles,
  read: roles,
  review: ['admin', 'auditor'],
  operate: ['admin', 'operator'],
  administer: ['admin'],
}

export const allows = (access: Access, role: Role): boolean => allowed[access].includes(role)

/** The only mailboxes that somebody may know of; undefined: all. */
export type Scope = ReadonlySet<MailboxId> | undefined

/** Somebody who has shown who he is. */
export type Who = {
  readonly principal: Principal
  readonly role: Role
  readonly scope: Scope
  /** Until that is done, only what is `self` is allowed. */
  readonly mustChangePassword: boolean
}

export const inScope = (scope: Scope, mailboxId: MailboxId): boolean => scope === undefined || scope.has(mailboxId)
