import { randomUUID } from 'node:crypto'
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Config } from './config.ts'
import { GatewayError } from './core/errors.ts'
import { addFileNow } from './disk/durable.ts'
import { mustBeTheSame, recognise } from './disk/mark.ts'
import type { LogPlace } from './log/openLog.ts'

/** Where everything of one gateway lies. */
export const pathsIn = (data: string) => ({
  log: join(data, 'events.db'),
  views: join(data, 'views.db'),
  vault: join(data, 'vault'),
  keys: join(data, 'keys'),
  /** The local command line's way in: made anew at each start, never backed up. */
  token: join(data, 'admin.token'),
  /** The first administrator's password, until it is changed. */
  firstPassword: join(data, 'admin.password'),
  /** Where the admin API of the running gateway listens. */
  url: join(data, 'admin.url'),
  /** The certificate that it shows there. */
  certificate: join(data, 'admin.crt'),
  lock: join(data, 'gateway.lock'),
  /** Which vault and which keys are this gateway's. */
  vaultId: join(data, 'vault.id'),
  keysId: join(data, 'keys.id'),
  /** Which data directory this is. */
  gatewayId: join(data, 'gateway.id'),
})

/** The same, with what the configuration puts elsewhere. */
export const placesOf = ({ gateway, vault, keys }: Pick<Config, 'gateway' | 'vault' | 'keys'>) => {
  const paths = pathsIn(gateway.data)
  return { ...paths, vault: vault.dir ?? paths.vault, keys: keys.dir ?? paths.keys }
}

/** Which log the configuration names. */
export const logPlaceOf = ({ gateway, log: { engine, url } }: Pick<Config, 'gateway' | 'log'>): LogPlace =>
  // The configuration has a url for this engine, and for no other.
  engine === 'eventstoredb' && url
    ? { engine, url: url.reveal() }
    : { engine: 'sqlite', file: pathsIn(gateway.data).log }

export type Places = ReturnType<typeof placesOf>

const directories = (judge: typeof recognise) => (places: Places) => {
  const { vault, vaultId, keys, keysId } = places
  try {
    judge({ directory: vault, what: 'vault', memory: vaultId })
    judge({ directory: keys, what: 'key', memory: keysId })
  } catch (error) {
    if (error instanceof GatewayError) throw error
    throw refuse(`The vault ${vault} or the keys ${keys} cannot be opened (${codeOf(error)}).`, error)
  }
}

/** Makes vault and keys where they were never made; refuses others than those of the last start, or none. */
export const recogniseDirectories = directories(recognise)
/** The same, and makes nothing. */
export const checkDirectories = directories(mustBeTheSame)

const refuse = (detail: string, cause?: unknown) => new GatewayError('start-refused', { detail, cause })

/** Makes the data directory (0700) where it does not exist; refuses one that cannot be written to. */
export const prepareDataDirectory = (data: string): void => {
  const path = resolve(data)
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    if (!statSync(path).isDirectory()) throw refuse(`The data directory ${path} is not a directory.`)
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    if (error instanceof GatewayError) throw error
    throw refuse(`The data directory ${path} cannot be written to (${codeOf(error)}).`, error)
  }
}

/** The id of the data directory, made at its first use. */
export const instanceOf = ({ gatewayId }: Pick<Places, 'gatewayId'>): string => {
  addFileNow(gatewayId, `${randomUUID()}\n`)
  return readFileSync(gatewayId, 'utf8').trim()
}

export type Claim = { release(): void }

/**
 * Claims the directory for this process. The claim is a lock of the operating system's on a file, through SQLite, so it
 * ends with the process however that ends. Refused while another process holds it.
 */
export const claimDataDirectory = (data: string): Claim => {
  const path = resolve(data)
  if (!existsSync(path)) throw refuse(`There is no data directory at ${path}.`)
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(pathsIn(path).lock)
    lock.exec('pragma locking_mode = exclusive; begin exclusive')
    const held = lock
    return { release: () => held.close() }
  } catch (error) {
    lock?.close()
    const busy = (error as { readonly errcode?: number }).errcode === 5 // SQLITE_BUSY
    throw busy
      ? refuse(`Another gateway is running on the data directory ${path}; stop it first.`, error)
      : refuse(`The data directory ${path} cannot be written to (${messageOf(error)}).`, error)
  }
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? messageOf(error)
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
