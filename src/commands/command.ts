import type { Writable } from 'node:stream'

/** One option of a command. */
export type Option = {
  /** What stands for its value in the usage; a flag has none. */
  readonly value?: string
  readonly about: string
  readonly required?: true
  readonly multiple?: true
}

/** What a command was given on the command line, checked against its table. */
export type Given = {
  readonly operands: readonly string[]
  flag(option: string): boolean
  /** The value of an option that is required. */
  text(option: string): string
  optional(option: string): string | undefined
  all(option: string): readonly string[]
}

/** What a command has of the process. */
export type Io = {
  readonly stdout: Writable
  readonly stderr: Writable
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** One command: its usage, its help and the checks of its arguments all derive from this. */
export type Command = {
  /** The words that call it. */
  readonly name: string
  readonly summary: string
  /** Names of its operands, all required. */
  readonly operands: readonly string[]
  readonly options: Readonly<Record<string, Option>>
  /** It is about this machine, and speaks to no gateway elsewhere. */
  readonly isLocal?: true
  /** Further help. */
  readonly more?: () => string
  /** Resolves with the exit code; none is 0. Rejects with what is to be said on standard error, exit code 1. */
  run(given: Given, io: Io): Promise<number | undefined>
}

/** Options that every command takes. */
export const commonOptions: Readonly<Record<string, Option>> = {
  config: { value: 'FILE', about: 'The configuration file; otherwise sealpost.toml, if there is one here' },
  json: { about: 'Print JSON' },
  help: { about: 'Print this' },
}

/** Options of every command that speaks to a gateway: where it is, when it is not on this machine's data directory. */
export const gatewayOptions: Readonly<Record<string, Option>> = {
  url: { value: 'URL', about: 'Ask the gateway at https://HOST:PORT, not the one here; or SEALPOST_URL' },
  'token-file': {
    value: 'FILE',
    about: 'Holds a token for it; - for standard input; or SEALPOST_TOKEN, the token itself',
  },
  ca: { value: 'FILE', about: 'Whose certificates to trust; otherwise those that the system does; or SEALPOST_CA' },
  fingerprint: { value: 'SHA256', about: 'Of its certificate, which then needs no authority; or SEALPOST_FINGERPRINT' },
}

/** For commands that can do without a running gateway. */
export const dataOption: Option = { value: 'DIR', about: 'Read this data directory itself, not through its gateway' }

/** The command line is wrong: exit code 2, with the usage. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
