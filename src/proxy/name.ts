import { parseTarget, type Target } from '../core/target.ts'

/** What a mail client's user name says: who it is at which server, and whose mailbox takes the copies. */
export type ProxyName = Target & {
  /** The user name at the remote server, as typed. */
  readonly user: string
  /** Mailbox id, address or alias, as typed. */
  readonly mailbox: string
}

/** Longer than any address; what is longer is no name that somebody has typed. */
const maxLength = 1000
/** Controls would become lines or fields of their own at the remote server. */
const printable = /^\P{Cc}+$/u
const parts = /^(?<user>.+)%(?<target>[^%]+)%(?<mailbox>[^%]+)$/su

/** `user%server%mailbox`, split at the last two `%`; the server may be `server:port`. Undefined for anything else. */
export const parseProxyName = (text: string): ProxyName | undefined => {
  if (text.length > maxLength || !printable.test(text)) return undefined
  const { user, target: typed, mailbox } = parts.exec(text)?.groups ?? {}
  const target = typed === undefined ? undefined : parseTarget(typed)
  return target && user && mailbox ? { user, ...target, mailbox } : undefined
}
