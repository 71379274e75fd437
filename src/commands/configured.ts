import { type Config, loadConfig } from '../config.ts'
import { type Client, connect } from './client.ts'
import type { Given, Io } from './command.ts'

/** The effective configuration of a command. */
export const configured = (given: Given, { cwd, env }: Io): Config =>
  loadConfig({ file: given.optional('config'), cwd, env })

/** The running gateway of a command. */
export const running = (given: Given, io: Io): Client => connect(configured(given, io))

export const mailboxPath = (name: string) => `/v1/mailboxes/${encodeURIComponent(name)}`
export const messagePath = (id: string) => `/v1/messages/${encodeURIComponent(id)}`
