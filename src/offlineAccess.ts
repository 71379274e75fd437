import { randomUUID } from 'node:crypto'
import { createAdministrators, type OneTime } from './access/administrators.ts'
import { forgetFirstPassword, handedOverUntil } from './access/firstPassword.ts'
import type { Config } from './config.ts'
import { type Cause, type Principal, stamper } from './core/events.ts'
import { systemClock } from './core/ports.ts'
import { checkDirectories, claimDataDirectory, logPlaceOf, placesOf } from './dataDirectory.ts'
import { keyFiles } from './keys/keyFiles.ts'
import { openLog } from './log/openLog.ts'

/**
 * Gives an administrator a password for once, a week long, on a data directory whose gateway does not run; one that is not
 * there is made. Rejects with `start-refused` while it runs. A failed fsync ends the process.
 */
export const offlineAdminReset = async (
  config: Pick<Config, 'gateway' | 'log' | 'vault' | 'keys'>,
  name: string,
  principal: Principal,
): Promise<OneTime> => {
  const claim = claimDataDirectory(config.gateway.data)
  try {
    const places = placesOf(config)
    checkDirectories(places)
    const clock = systemClock
    const onFatal = (error: unknown) =>
      void setImmediate(() => {
        throw error
      })
    const log = await openLog(logPlaceOf(config), { clock, onFatal })
    try {
      const stamp = stamper(config.gateway.node, () => clock.now())
      const administrators = createAdministrators({ log, keys: keyFiles({ dir: places.keys }), stamp, clock })
      const command = randomUUID()
      const cause: Cause = { principal, correlationId: command, causationId: command }
      const until = handedOverUntil(clock)
      const exists = (await administrators.of(name)) !== undefined
      const made = exists
        ? await administrators.reset(name, until, cause)
        : await administrators.add({ name, role: 'admin' }, until, cause)
      forgetFirstPassword(places.firstPassword)
      return made
    } finally {
      await log.close()
    }
  } finally {
    claim.release()
  }
}
