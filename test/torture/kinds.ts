import type { Fault } from './fault.ts'
import { startProviders } from './providers.ts'
import type { World } from './world.ts'

/** A gateway that is run otherwise than `npm start` runs it. */
export type Kind = {
  /** For the names of the faults. */
  readonly name: string
  /** For the table, behind what is done. */
  readonly how: string
  /** Makes a world one of such a gateway, before its first start. */
  prepare(world: World): Promise<void> | void
}

/** The same fault, inflicted on such a gateway. */
export const inflictedOn =
  (kind: Kind) =>
  (fault: Fault): Fault => ({
    ...fault,
    name: `${fault.name} (${kind.name})`,
    how: `${fault.how}; ${kind.how}`,
    inflict: async (world) => {
      await kind.prepare(world)
      return fault.inflict(world)
    },
  })

export const filesVault: Kind = {
  name: 'files',
  how: 'the vault is `files`',
  prepare: ({ env }) => {
    Object.assign(env, { SEALPOST_VAULT_ENGINE: 'files' })
  },
}

export const proxied: Kind = {
  name: 'proxy',
  how: 'mail clients send, read and delete at providers through the gateway',
  prepare: async (world) => {
    const providers = await startProviders(world)
    world.undo.push(() => providers.close())
    Object.assign(world.env, providers.env)
    world.providers = providers
  },
}
