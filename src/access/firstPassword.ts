import { rmSync } from 'node:fs'
import { GatewayError } from '../core/errors.ts'
import type { Cause } from '../core/events.ts'
import type { Clock, EventLog } from '../core/ports.ts'
import { administratorStream } from '../core/streams.ts'
import { addFileNow } from '../disk/durable.ts'
import type { Administrators, OneTime } from './administrators.ts'

/** Whom the first start makes. */
export const firstName = 'admin'

/** Milliseconds for which a password works that has to be changed: a day where it lies in a file, a week where somebody was given it. */
const day = 24 * 60 * 60 * 1000
export const firstUntil = (clock: Clock) => new Date(clock.now().getTime() + day)
export const handedOverUntil = (clock: Clock) => new Date(clock.now().getTime() + 7 * day)

export type FirstPasswordParts = {
  readonly administrators: Administrators
  readonly log: Pick<EventLog, 'readStream'>
  readonly clock: Clock
  readonly cause: Cause
  /** Where the password lies until it is changed, mode 0600. */
  readonly file: string
}

/**
 * Where there has never been one, makes the first administrator, whose password for once lies in a file; else takes a file
 * away that is of no use any more. Of gateways that start at once on one log, one makes him.
 */
export const firstPassword = async (parts: FirstPasswordParts): Promise<OneTime | undefined> => {
  const { administrators, log, clock, cause, file } = parts
  const [added, changed] = await log.readStream(administratorStream(firstName), 0, 2)
  if (added) {
    const until = added.type === 'AdministratorAdded' ? new Date(added.data.oneTimeUntil) : clock.now()
    if (changed || until <= clock.now()) forgetFirstPassword(file)
    return undefined
  }
  try {
    const made = await administrators.add({ name: firstName, role: 'admin' }, firstUntil(clock), cause)
    forgetFirstPassword(file)
    addFileNow(file, `${made.password.reveal()}\n`)
    return made
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'administrator-exists') return undefined
    throw error
  }
}

export const forgetFirstPassword = (file: string): void => rmSync(file, { force: true })
