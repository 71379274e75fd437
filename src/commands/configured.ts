import { type Config, loadConfig } from '../config.ts'
import { type Client, connect } from './client.ts'
import type { Given, Io } from './command.ts'
import { localPlace } from './localPlace.ts'
import { remotePlace } from './remotePlace.ts'

/** The effective configuration of a command. */
export const configured = (given: Given, { cwd, env }: Io): Config =>
  loadConfig({ file: given.optional('config'), cwd, env })

/** The running gateway of a command: the one that it names, else the one on the configured data directory. */
export const running = (given: Given, io: Io): Client => connecting(given, io)()

/** The same, as it is each time when it is asked: here it may have been started again. */
export const connecting = (given: Given, io: Io): (() => Client) => {
  const remote = remotePlace(given, io)
  return () => (remote ? connect(remote) : runningHere(given, io))
}

/** The one on the configured data directory, whichever the command names. */
export const runningHere = (given: Given, io: Io): Client => connect(localPlace(configured(given, io)))

export const mailboxPath = (name: string) => `/v1/mailboxes/${encodeURIComponent(name)}`
export const messagePath = (id: string) => `/v1/messages/${encodeURIComponent(id)}`
