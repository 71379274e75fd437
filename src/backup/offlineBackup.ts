import type { Config } from '../config.ts'
import { GatewayError } from '../core/errors.ts'
import { checkDirectories, claimDataDirectory, placesOf } from '../dataDirectory.ts'
import { ofStore } from './backups.ts'
import { type BackupMade, makeBackup } from './makeBackup.ts'

/** As `makeBackup`, of a gateway that does not run; rejects with `start-refused` while it does. */
export const offlineBackup = async (
  config: Pick<Config, 'gateway' | 'log' | 'vault' | 'keys'>,
  directory: string,
): Promise<BackupMade> => {
  if (config.log.engine !== 'sqlite') throw new GatewayError('request-invalid', { detail: ofStore })
  const claim = claimDataDirectory(config.gateway.data)
  try {
    const places = placesOf(config)
    checkDirectories(places)
    return await makeBackup({ places, vault: config.vault.engine }, directory)
  } finally {
    claim.release()
  }
}
