import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type CreatedMailbox,
  freePorts,
  type Ports,
  type ScratchGateway,
  type ScratchOptions,
} from '../../ops/scratchGateway.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { type Ledger, newLedger } from './ledger.ts'
import type { Mailbox } from './clients.ts'
import { type Load, type LoadParts, startLoad } from './load.ts'
import type { Providers } from './providers.ts'
import type { Random } from './random.ts'

/** A gateway's data directory with everything around it, for one round. */
export type World = {
  readonly data: string
  readonly ports: Ports
  readonly mailboxes: readonly Mailbox[]
  readonly ledger: Ledger
  readonly random: Random
  /** Configuration that every start of the round has. */
  readonly env: Record<string, string>
  /** Those that mail clients send and read at through the gateway, if there are mail clients. */
  providers: Providers | undefined
  /** A directory for traces and other files of the round, which are no data. */
  readonly scratch: string
  /** The gateway that runs, or ran last. */
  gateway: ScratchGateway | undefined
  /** What the last gateway wrote to stderr. */
  stderr: string
  /** Whether the last start came to nothing. */
  refused: boolean
  /** Rejects when it does not serve within half a minute, or ends before. */
  start(options?: Pick<ScratchOptions, 'env' | 'under'>): Promise<ScratchGateway>
  load(parts?: Pick<LoadParts, 'senders' | 'collectors'>): Load
  /** Undoes mounts and the like, whatever has happened. */
  readonly undo: (() => unknown)[]
}

/** A data directory with mailboxes that rounds begin with, as a gateway that was stopped well has left it. */
export type Template = { readonly data: string; readonly mailboxes: readonly CreatedMailbox[] }

const mailboxCount = 2

const createMailboxes = async (gateway: ScratchGateway): Promise<readonly CreatedMailbox[]> => {
  const created: CreatedMailbox[] = []
  for (let index = 0; index < mailboxCount; index++)
    created.push(await gateway.createMailbox('--name', `torture ${index}`))
  return created
}

/** The mailboxes of the template are those of its own log: on another one there are new ones. */
export const renewMailboxes = async ({ mailboxes }: World, gateway: ScratchGateway): Promise<void> => {
  const created = await createMailboxes(gateway)
  created.forEach(({ password, ...one }, index) => {
    Object.assign(mailboxes[index] ?? {}, { ...one, passwords: [password] })
  })
}

export const makeTemplate = async (): Promise<Template> => {
  const gateway = await startTestGateway()
  const mailboxes = await createMailboxes(gateway)
  await gateway.stop()
  return { data: gateway.data, mailboxes }
}

export const newWorld = async (template: Template, random: Random): Promise<World> => {
  const root = mkdtempSync(join(tmpdir(), 'sealpost-torture-'))
  const [data, scratch] = [join(root, 'data'), join(root, 'scratch')]
  cpSync(template.data, data, { recursive: true })
  mkdirSync(scratch)
  const ports = await freePorts()
  const mailboxes = template.mailboxes.map(({ password, ...one }) => ({ ...one, passwords: [password] }))
  return worldOn({ data, scratch, ports, mailboxes, ledger: newLedger(), random, env: {}, providers: undefined })
}

type Ground = Pick<World, 'data' | 'scratch' | 'ports' | 'mailboxes' | 'ledger' | 'random' | 'env' | 'providers'>

export const worldOn = (ground: Ground): World => {
  const { data, ports, mailboxes, ledger, random } = ground
  const world: World = {
    ...ground,
    gateway: undefined,
    stderr: '',
    refused: false,
    undo: [],
    start: async ({ env = {}, under = [] } = {}) => {
      world.gateway = undefined
      world.stderr = ''
      world.refused = false
      const starting = startTestGateway({ data, ports, env: { ...ground.env, ...env }, under })
      const gateway = await starting.catch((error: unknown) => {
        // Its first line is the harness's, the others are what the gateway wrote.
        world.stderr = String(error).split('\n').slice(1).join('\n')
        world.refused = true
        throw error
      })
      gateway.process.stderr?.on('data', (text: Buffer) => (world.stderr += text.toString()))
      world.gateway = gateway
      return gateway
    },
    load: (parts = {}) =>
      startLoad({ ports, mailboxes, ledger, random: random.fork(), providers: world.providers, ...parts }),
  }
  return world
}

/** Ends and removes everything. */
export const removeWorld = async (world: World, keep: boolean): Promise<void> => {
  // What it examines when it ends is judged elsewhere.
  await world.gateway?.kill().catch(() => undefined)
  for (const undo of world.undo.reverse()) await undo()
  if (!keep) rmSync(join(world.data, '..'), { recursive: true, force: true })
}
