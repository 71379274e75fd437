import { createHash } from 'node:crypto'
import { hostname, networkInterfaces } from 'node:os'
import { resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { stringify } from 'smol-toml'
import { type ConfigSource, readEnvironment, readFile, type Said } from './config/sources.ts'
import { GatewayError } from './core/errors.ts'
import type { MailboxId } from './core/ids.ts'
import { Secret } from './core/secret.ts'
import type { SenderPolicy } from './core/senderPolicy.ts'
import { isPath } from './config/kinds.ts'
import { type Machine, type Row, rows } from './config/settings.ts'
import { storeUrlProblems } from './config/storeUrl.ts'
import { portClashes } from './listeners.ts'

/** A TCP port; 0 lets the system choose; `off` turns the listener off. */
export type Port = number | 'off'
export type LogLevel = 'info' | 'warn' | 'error' | 'off'

/** The effective configuration: validated, frozen. */
export type Config = {
  readonly gateway: {
    /** Lower case, without a dot at the end. */
    readonly domain: string
    /** Absolute path. */
    readonly data: string
    readonly node: string
    /** Networks whose connections begin with a PROXY header, as `parseNetwork` writes them. */
    readonly loadBalancers: readonly string[]
    readonly logLevel: LogLevel
  }
  readonly smtp: {
    readonly host: string
    readonly port: Port
    /** Implicit TLS for journal senders. */
    readonly tlsPort: Port
    /** Mailbox that receives mail for `postmaster`; none refuses it with a 4xx. */
    readonly postmaster: MailboxId | undefined
    /** Whether it is recorded what the DNS says of senders. */
    readonly senderChecks: 'off' | 'record'
    /** Certificates (PEM) of those who vouch for clients. Absolute path. */
    readonly clientCaFile: string | undefined
  } & SenderPolicy
  /** Mail clients that send through the proxy, with STARTTLS; `host` holds for `smtps` too. */
  readonly submission: { readonly host: string; readonly port: Port }
  readonly smtps: { readonly port: Port }
  readonly pop3: { readonly host: string; readonly port: Port }
  readonly pop3s: { readonly port: Port }
  readonly admin: {
    readonly host: string
    readonly port: Port
    /** Who may read /metrics: who has the token, or everybody who reaches the listener. */
    readonly metrics: 'token' | 'open'
  }
  readonly log: {
    readonly engine: 'sqlite' | 'eventstoredb'
    /** The connection string of `eventstoredb`: it may hold a password. */
    readonly url: Secret | undefined
  }
  readonly vault: { readonly engine: 'packs' | 'files'; readonly dir: string | undefined }
  readonly keys: { readonly dir: string | undefined }
  readonly tls: TlsSettings
  readonly acme: AcmeSettings
  readonly mtaSts: {
    readonly host: string
    readonly port: Port
    readonly mode: 'testing' | 'enforce' | 'none'
    /** Host names; none: the gateway's domain. */
    readonly mx: readonly string[]
    /** Seconds. */
    readonly maxAge: number
  }
  readonly proxy: ProxySettings
  /** Seconds: after which messages that left their maildrop are destroyed, and after which that is looked at again. */
  readonly retention: { readonly grace: number; readonly sweep: number }
  readonly limits: Limits
}

/** Whose certificate peers see. */
export type TlsSettings = {
  readonly mode: 'self-signed' | 'files' | 'acme'
  /** Of `files`: PEM, the certificate first and then those between it and its authority; the key that fits each. Absolute paths. */
  readonly certFile: readonly string[]
  readonly keyFile: readonly string[]
}

/** How a certificate is ordered (RFC 8555). */
export type AcmeSettings = {
  /** Where the authority's questions are answered. */
  readonly host: string
  readonly port: Port
  readonly directory: string
  readonly terms: 'not-agreed' | 'agreed'
  readonly email: string | undefined
  /** None: the gateway's domain. */
  readonly names: readonly string[]
  /** Certificates (PEM) that vouch for the authority's server, in place of the system's. Absolute path. */
  readonly caFile: string | undefined
}

/** How mail clients reach their providers' servers. Times are seconds. */
export type ProxySettings = {
  /** Servers that may be dialled, as `parseTargetPattern` writes them; none: the proxy is off. */
  readonly targets: readonly string[]
  /** Address ranges that may be dialled although they are not public. */
  readonly networks: readonly string[]
  /** Certificates (PEM) that vouch for remote servers, in place of the system's. Absolute path. */
  readonly caFile: string | undefined
  /** Clients' connections with a remote side at once, of all and of one client address. */
  readonly connections: number
  readonly connectionsPerClient: number
  /** For one port of the remote server: its name's addresses, the connection, TLS. */
  readonly dialTimeout: number
  /** For the remote server's answers from its greeting to the end of the login. */
  readonly loginTimeout: number
  /** For which the end of a message is held until its copy is durable. */
  readonly holdTimeout: number
  /** For the remote server's answer to the end of a message. */
  readonly replyTimeout: number
  /** For any other answer of the remote server's. */
  readonly answerTimeout: number
  /** Octets of one connection that one side has sent and the other has not taken. */
  readonly bytesInFlight: number
}

export type Limits = {
  /** Octets of one received message. */
  readonly messageSize: number
  /** Recipients of one SMTP transaction. */
  readonly recipients: number
  /** SMTP connections at once, of all listeners. */
  readonly smtpSessions: number
  /** POP3 connections at once, of all listeners. */
  readonly pop3Sessions: number
  /** Of either, those of one client address (an IPv6 /64). */
  readonly sessionsPerClient: number
  /** Transactions that one client address may begin within a minute. */
  readonly messagesPerMinute: number
  /** Seconds that an SMTP peer has for its next command, or its next part of a message. */
  readonly smtpIdle: number
  /** Seconds for which one message is held up in all by the checks of its sender. */
  readonly senderChecks: number
  /** Seconds that a POP3 peer has for its next command, or to take the next part of an answer. */
  readonly pop3Idle: number
  /** Seconds for a TLS handshake. */
  readonly tlsHandshake: number
  /** Octets a second of a message, on the average of the idle time, below which its peer is cut. */
  readonly slowestRate: number
  /** Octets of messages, of all connections, that have come in and are not in the vault yet. */
  readonly bytesInFlight: number
  /** Seconds that the storage may owe its oldest answer, and the mailboxes may lack an event, before no further message is begun. */
  readonly logLag: number
  /** Questions about the past at once. */
  readonly historyQuestions: number
  /** Commands that make no sense, after which an SMTP or POP3 connection is closed. */
  readonly badCommands: number
  /** Commands that are not about a message (NOOP, RSET, EHLO, VRFY, HELP), after which each counts as one that makes no sense. */
  readonly idleCommands: number
  /** Seconds for which a POP3 session's hold on its maildrop stands unrenewed, where several gateways share the log. */
  readonly maildropLease: number
  /** Octets of one session's transcript. */
  readonly transcript: number
  /** Octets of room on a disk below which mail is put off. */
  readonly diskReserve: number
}

export type ConfigOrigin = {
  /** A configuration file that must exist; without it `sealpost.toml` in `cwd`, which need not. */
  readonly file?: string | undefined
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
}

const thisMachine = (): Machine => ({
  hostname: hostname(),
  hasIpv6: Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ family }) => family === 'IPv6')),
})

/**
 * Defaults, then the file, then `SEALPOST_<SECTION>_<KEY>` variables. Unknown keys and bad values are never passed over:
 * throws `start-refused` whose detail names each key, where it was said and why it is refused, one a line.
 */
export const loadConfig = ({ file, cwd, env }: ConfigOrigin, machine: Machine = thisMachine()): Config => {
  const sources = [readFile(file, cwd), readEnvironment(env)]
  const problems = sources.flatMap(({ problems }) => problems)
  const values = rows.map((row) => [row, valueOf(row, sources, machine, problems)] as const)
  const config = assemble(values, cwd)
  problems.push(
    ...(problems.length > 0
      ? []
      : [...portClashes(config), ...logProblems(config), ...tlsProblems(config), ...senderProblems(config)]),
  )
  if (problems.length > 0) throw new GatewayError('start-refused', { detail: problems.join('\n') })
  return config
}

type Value = { readonly value: unknown; readonly base: string | undefined }

/** The last source that says the key wins; what is wrong in an earlier one is a problem all the same. */
const valueOf = (row: Row, sources: readonly ConfigSource[], machine: Machine, problems: string[]): Value => {
  let result: Value = { value: row.setting.default(machine), base: undefined }
  for (const { said } of sources) {
    const saying = said.get(row.name)
    if (saying === undefined) continue
    const value = row.setting.kind.read(saying.value)
    if (value === undefined) problems.push(refusal(row, saying))
    else result = { value, base: saying.base }
  }
  return result
}

const refusal = (row: Row, { value, where }: Said) =>
  `${row.name} must be ${row.setting.kind.expects}${row.setting.kind.secret ? '' : `, not ${shown(value)}`} (${where})`

const shown = (value: unknown) => {
  if (typeof value === 'object' && !Array.isArray(value)) return value instanceof Date ? 'a date' : 'a table'
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

const assemble = (values: readonly (readonly [Row, Value])[], cwd: string): Config => {
  const sections: Record<string, Record<string, unknown>> = {}
  for (const [{ section, key, setting }, { value, base }] of values) {
    const sectionOf = (sections[section] ??= {})
    sectionOf[key] = isPath(setting.kind) ? resolvedFrom(resolve(cwd, base ?? ''), value) : value
  }
  for (const section of Object.values(sections)) Object.freeze(section)
  // The table has exactly the sections and keys of Config, each with a kind of that key's type (type `Settings`).
  return Object.freeze(sections) as never
}

const resolvedFrom = (directory: string, value: unknown) => {
  if (typeof value === 'string') return resolve(directory, value)
  return Array.isArray(value) ? Object.freeze(value.map((one: string) => resolve(directory, one))) : value
}

const logProblems = ({ log: { engine, url } }: Config): readonly string[] => {
  if (engine === 'sqlite') return url ? ['log.url is for log.engine = "eventstoredb": the other log is a file'] : []
  return url ? storeUrlProblems(url.reveal()) : ['log.engine = "eventstoredb" needs log.url']
}

const tlsProblems = (config: Config): readonly string[] => {
  const {
    tls: { mode, certFile, keyFile },
    mtaSts,
    gateway,
  } = config
  const problems: string[] = []
  const files = certFile.length + keyFile.length
  if (mode !== 'files' && files > 0) problems.push('tls.certFile and tls.keyFile are for tls.mode = "files"')
  if (mode === 'files' && (certFile.length === 0 || keyFile.length === 0))
    problems.push('tls.mode = "files" needs tls.certFile and tls.keyFile')
  else if (mode === 'files' && certFile.length !== keyFile.length)
    problems.push('tls.certFile and tls.keyFile must name as many files, each key in the place of its certificate')
  if (mode === 'acme') problems.push(...acmeProblems(config))
  if (mtaSts.port !== 'off' && !gateway.domain.includes('.'))
    problems.push('mtaSts.port needs a gateway.domain that the world knows')
  return problems
}

const acmeProblems = (config: Config): readonly string[] => {
  const { terms, port, directory } = config.acme
  const unknown = acmeNames(config).filter((name) => !name.includes('.'))
  return [
    ...(terms === 'agreed'
      ? []
      : [`tls.mode = "acme" needs acme.terms = "agreed": read the terms that ${directory} names`]),
    ...(port === 'off' ? ['tls.mode = "acme" needs acme.port'] : []),
    ...unknown.map((name) => `tls.mode = "acme" needs names that the world knows, and ${name} is none`),
  ]
}

/** Under which senders ask for the MTA-STS policy (RFC 8461 §3.3). */
export const policyHost = ({ gateway }: Pick<Config, 'gateway'>) => `mta-sts.${gateway.domain}`

/** The names of the certificate that is ordered. */
export const acmeNames = ({
  acme,
  gateway,
  mtaSts,
}: Pick<Config, 'acme' | 'gateway' | 'mtaSts'>): readonly string[] => [
  ...new Set([
    ...(acme.names.length > 0 ? acme.names : [gateway.domain]),
    ...(mtaSts.port === 'off' ? [] : [policyHost({ gateway })]),
  ]),
]

const senderProblems = ({ smtp: { requires, certificateNames, clientCaFile } }: Config): readonly string[] =>
  (requires.includes('certificate') || certificateNames.length > 0) && clientCaFile === undefined
    ? ['A client certificate is asked for by smtp.requires or smtp.certificateNames: that needs smtp.clientCaFile']
    : []

/**
 * SHA-256, hex, of the effective configuration: the same values give the same digest wherever they were said. What may
 * hold a password is not in it: the digest stands in the log.
 */
export const configSha256 = (config: Config) =>
  createHash('sha256')
    .update(JSON.stringify(rows.map((row) => [row.name, publicValue(config, row) ?? null])))
    .digest('hex')

const publicValue = (config: Config, { section, key, setting }: Row) => {
  const value = valueIn(config, section, key)
  return value instanceof Secret ? setting.kind.print(value) : value
}

/** The names of the settings whose values differ, in two parts: those that a running gateway can take, and the others. */
export const changesBetween = (effective: Config, wanted: Config) => {
  const differing = rows.filter((row) => !isDeepStrictEqual(valueOfRow(effective, row), valueOfRow(wanted, row)))
  const isTaken = ({ name, setting }: Row) =>
    setting.live === true &&
    (name !== 'proxy.targets' || proxyIsOn(effective) === proxyIsOn(wanted)) &&
    (name !== 'tls.mode' || (effective.tls.mode !== 'acme' && wanted.tls.mode !== 'acme'))
  const names = (some: readonly Row[]) => some.map(({ name }) => name)
  return {
    taken: names(differing.filter(isTaken)),
    left: names(differing.filter((row) => !isTaken(row))),
  }
}

/** The listeners for mail clients are open or not. */
const proxyIsOn = ({ proxy }: Config) => proxy.targets.length > 0

/** The effective configuration with these settings as somebody wants them. */
export const withSettings = (effective: Config, wanted: Config, names: readonly string[]): Config => {
  const values = rows.map((row) => {
    const value = valueIn(names.includes(row.name) ? wanted : effective, row.section, row.key)
    return [row, { value, base: undefined }] as const
  })
  return assemble(values, '')
}

const valueOfRow = (config: Config, { section, key }: Row) => {
  const value = valueIn(config, section, key)
  return value instanceof Secret ? value.reveal() : value
}

/** The effective configuration as a commented `sealpost.toml` that gives the same configuration again. */
export const describeConfig = (config: Config): string =>
  Object.keys(config)
    .map(
      (section) =>
        `[${section}]\n${rows
          .filter((row) => row.section === section)
          .map(lineOf(config))
          .join('')}`,
    )
    .join('\n')

const lineOf = (config: Config) => (row: Row) => {
  const printed = row.setting.kind.print(valueIn(config, row.section, row.key))
  const line = printed === undefined ? `# ${row.key} =` : stringify({ [row.key]: printed }).trimEnd()
  return `# ${row.setting.reason}\n${line}\n`
}

// Every row's section and key exist in Config (type `Settings`).
const valueIn = (config: Config, section: string, key: string) =>
  (config as never as Record<string, Record<string, unknown>>)[section]?.[key]

const textOf = (printed: string | number | readonly string[] | undefined) => {
  if (typeof printed !== 'object') return printed
  return printed.length > 0 ? printed.join(', ') : undefined
}

/** Every key with its variable, default and reason, for help and handbook. */
export const describeSettings = (machine: Machine = thisMachine()) =>
  rows.map(({ name, variable, setting }) => ({
    name,
    variable,
    expects: setting.kind.expects,
    default: textOf(setting.kind.print(setting.default(machine))),
    reason: setting.reason,
    live: setting.live === true,
  }))

/** The same configuration over another data directory: what `--data` on the command line asks for. */
export const withData = (config: Config, data: string, cwd: string): Config =>
  Object.freeze({ ...config, gateway: Object.freeze({ ...config.gateway, data: resolve(cwd, data) }) })
