import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { GatewayError } from '../core/errors.ts'
import { commandVariables } from './commandVariables.ts'
import { type Row, rows } from './settings.ts'

/** One key as somebody wrote it. */
export type Said = {
  readonly value: unknown
  /** The file or the variable, as the error names it. */
  readonly where: string
  /** The directory that a relative path is taken from; none is the working directory. */
  readonly base: string | undefined
}

/** What one source says, by `section.key`, and what it says that nobody knows. */
export type ConfigSource = { readonly said: ReadonlyMap<string, Said>; readonly problems: string[] }

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)

const refused = (detail: string, cause?: unknown) => new GatewayError('start-refused', { detail, cause })

/** `file` must exist when it is named; `sealpost.toml` in `cwd` need not. Throws `start-refused` for broken TOML. */
export const readFile = (file: string | undefined, cwd: string): ConfigSource => {
  const path = resolve(cwd, file ?? 'sealpost.toml')
  const toml = contentOf(path, file === undefined)
  return toml === undefined ? { said: new Map(), problems: [] } : fromTable(tableOf(toml, path), path)
}

const contentOf = (path: string, optional: boolean) => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path))
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const code = 'code' in error ? error.code : undefined
    if (optional && code === 'ENOENT') return undefined
    if (code === 'ENOENT') throw refused(`There is no configuration file ${path}`, error)
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw refused(`${path} is not UTF-8 text`, error)
    throw refused(`The configuration file ${path} cannot be read: ${error.message}`, error)
  }
}

const tableOf = (toml: string, path: string) => {
  try {
    return parse(toml)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const reason = (error.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '')
    throw refused(`${path}, line ${error.line}, column ${error.column}: ${reason}`, error)
  }
}

const fromTable = (table: Readonly<Record<string, unknown>>, path: string): ConfigSource => {
  const said = new Map<string, Said>()
  const problems: string[] = []
  for (const [section, keys] of Object.entries(table)) {
    const known = rows.filter((row) => row.section === section)
    if (known.length === 0) problems.push(`There is no section [${section}]; there are ${sectionNames()} (${path})`)
    else if (!isTable(keys)) problems.push(`${section} must be a section, written as [${section}] (${path})`)
    else for (const [key, value] of Object.entries(keys)) say(key, value, known)
  }
  return { said, problems }

  function say(key: string, value: unknown, known: readonly Row[]) {
    const row = known.find((candidate) => candidate.key === key)
    if (row !== undefined) said.set(row.name, { value, where: path, base: dirname(path) })
    else
      problems.push(
        `There is no key ${known[0]?.section ?? ''}.${key}; there are ${known.map((row) => row.key).join(', ')} (${path})`,
      )
  }
}

const sectionNames = () => [...new Set(rows.map(({ section }) => `[${section}]`))].join(', ')

/** A Kubernetes service named `sealpost…` puts such variables into its neighbours' environment; they are not ours. */
const isServiceLink = (variable: string, value: string) =>
  /_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP)(_[A-Z]+)?$/.test(variable) ||
  (variable.endsWith('_PORT') && /^(tcp|udp):\/\//.test(value))

const isOfTheCommandLine = (variable: string) => Object.values<string>(commandVariables).includes(variable)

/** Every `SEALPOST_…` variable. The value of one that nobody knows is not repeated: it may be a secret. */
export const readEnvironment = (env: Readonly<Record<string, string | undefined>>): ConfigSource => {
  const said = new Map<string, Said>()
  const problems: string[] = []
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith('SEALPOST_') || value === undefined || isServiceLink(variable, value)) continue
    if (isOfTheCommandLine(variable)) continue
    const row = rows.find((candidate) => candidate.variable === variable)
    const where = `environment variable ${variable}`
    if (row !== undefined) said.set(row.name, { value: fromText(row, value), where, base: undefined })
    else problems.push(`The environment variable ${variable} sets nothing: there is no such key`)
  }
  return { said, problems }
}

const fromText = ({ setting: { kind } }: Row, text: string) => {
  if (kind.list) return text.split(',').map((item) => item.trim())
  return kind.numeric && /^-?\d+$/.test(text) ? Number(text) : text
}
