import { existsSync, readFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import type { Config } from '../config.ts'
import { Secret } from '../core/secret.ts'
import { pathsIn } from '../dataDirectory.ts'
import { failed } from './client.ts'
import { pinnedTo, type Place } from './place.ts'

/** The gateway that runs on the configured data directory, as it announces itself there. Throws if there is none. */
export const localPlace = (config: Config): Place => {
  const { data } = config.gateway
  const paths = pathsIn(data)
  const configured = urlOf(config)
  const announced = existsSync(paths.url) ? new URL(textIn(paths.url)).origin : configured
  if (announced === undefined)
    throw failed('The admin API is turned off (admin.port is "off"): the command line needs it.')
  if (!existsSync(paths.token)) throw notRunning(`there is no ${paths.token}`)
  const certificate = textIn(paths.certificate)
  const url = reachable(announced)
  return {
    url,
    token: new Secret(textIn(paths.token)),
    headers: { 'sealpost-user': userName() },
    trust: () => Promise.resolve(pinnedTo(certificate)),
    says: {
      nobody: () => notRunning(`no answer at ${url}`).message,
      another: () => `What answers at ${url} is not the gateway of ${data}: its certificate is another one.`,
      refused: `The gateway at ${url} does not take the token of ${data}: it is another gateway.`,
    },
  }
}

const urlOf = ({ admin: { host, port } }: Config) =>
  port === 'off' ? undefined : `https://${host.includes(':') ? `[${host}]` : host}:${port}`

/** Who listens on every address is reached at the loopback. */
const reachable = (url: string) => url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')

const textIn = (path: string) => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if ('code' in error && error.code === 'ENOENT') throw notRunning(`there is no ${path}`, error)
    throw failed(`Cannot read ${path}: run this as the user that the gateway runs as. (${error.message})`, error)
  }
}

const notRunning = (why: string, cause?: unknown) =>
  failed(`The gateway is not running (${why}). Start it with: npm start`, cause)

/** A user id without an account, as in a container, has no name. */
export const userName = () => {
  try {
    return userInfo().username.replaceAll(/[^\x21-\x7e]/g, '_')
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`
  }
}
