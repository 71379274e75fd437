import { GatewayError } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import type { Secret } from '../core/secret.ts'
import { guessingGuard } from '../keys/guessingGuard.ts'
import type { Administrator, Administrators } from './administrators.ts'
import { nameIn } from './typed.ts'

/** Somebody who says that he is an administrator, from the IP address `source`. */
export type AdministratorAttempt = { readonly name: string; readonly password: Secret; readonly source: string }

/**
 * Whose name and password these are. Rejects with `password-wrong` (for a name that nobody has too, after the same time),
 * `too-many-attempts`, `password-expired`, `overloaded` or a storage failure. Refusals are counted.
 */
export type AdministratorLogin = (attempt: AdministratorAttempt) => Promise<Administrator>

export type AdministratorLoginParts = {
  readonly administrators: Pick<Administrators, 'verify' | 'of'>
  readonly clock: Clock
  refused(source: string, kind: string): void
}

export const administratorLogin = ({ administrators, clock, refused }: AdministratorLoginParts): AdministratorLogin => {
  const guard = guessingGuard(clock)
  const verified = async (name: string, { password, source }: AdministratorAttempt) => {
    try {
      return await administrators.verify(name, password, guard.knows(source, name) ? 'known' : 'anyone')
    } catch (error) {
      guard.abandoned(source, name)
      throw error
    }
  }
  /** A password for once is a random one, which no number of tries finds: who was given it is not kept out by whoever else tries. */
  const isUnguessable = async (name: string) => {
    const until = (await administrators.of(name))?.oneTimeUntil
    return until !== undefined && until > clock.now()
  }
  const isAdmitted = async (source: string, name: string) =>
    guard.admit(source, name) === 0 || ((await isUnguessable(name)) && guard.admit(source, name, true) === 0)

  return async (attempt) => {
    const { source } = attempt
    const name = nameIn(attempt.name)
    if (!(await isAdmitted(source, name))) {
      refused(source, 'too-many-attempts')
      throw new GatewayError('too-many-attempts')
    }
    const administrator = await verified(name, attempt)
    if (!administrator) {
      guard.failed(source, name)
      refused(source, 'administrator-password')
      throw new GatewayError('password-wrong')
    }
    guard.succeeded(source, name)
    const { oneTimeUntil } = administrator
    if (oneTimeUntil && oneTimeUntil <= clock.now()) throw new GatewayError('password-expired')
    return administrator
  }
}
