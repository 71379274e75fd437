import type { Config } from '../config.ts'
import { asGatewayError } from '../core/errors.ts'
import type { Given } from './administrators.ts'
import type { Client } from './client.ts'
import { userName } from './localPlace.ts'

/** Whom the first start makes, and a reset brings back. */
const name = 'admin'

/** Through the gateway where one runs on the data directory, else on its log and keys themselves. */
export const resetAdmin = async (config: Config, running: () => Client): Promise<Given> => {
  // Loaded only here: no other command of this kind needs a database.
  const { offlineAdminReset } = await import('../offlineAccess.ts')
  try {
    const { role, password, until } = await offlineAdminReset(config, name, `local:${userName()}`)
    return { name, role, password: password.reveal(), oneTimeUntil: until.toISOString() }
  } catch (error) {
    // Another process has it: it is asked instead, and if it is no gateway that serves, says so.
    if (asGatewayError(error).code !== 'start-refused') throw error
    return throughGateway(running())
  }
}

const throughGateway = async (client: Client): Promise<Given> => {
  const { administrators } = await client.get<{ administrators: readonly { name: string }[] }>('/v1/administrators')
  return administrators.some((one) => one.name === name)
    ? client.post<Given>(`/v1/administrators/${name}/reset`)
    : client.post<Given>('/v1/administrators', { name })
}
