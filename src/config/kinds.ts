import { isIP } from 'node:net'
import { type MailboxId, isMailboxId } from '../core/ids.ts'
import type { LogLevel, Port } from '../config.ts'
import { hostNameOf } from '../core/hostName.ts'
import { parseNetwork } from '../core/network.ts'
import { Secret } from '../core/secret.ts'
import { parseTargetPattern } from '../core/target.ts'
import { hasLogin, isStoreUrl } from './storeUrl.ts'

/** What a setting's value may be: how it is read from a TOML value, said in an error, and printed as TOML again. */
export type Kind<T> = {
  /** Completes the sentence "… must be". */
  readonly expects: string
  /** Digits from an environment variable are read as the number that TOML would have given. */
  readonly numeric: boolean
  /** An environment variable's text is split at its commas. */
  readonly list?: true
  /** `undefined` for what is not of this kind. */
  readonly read: (value: unknown) => T | undefined
  /** A value that is refused is not repeated. */
  readonly secret?: true
  /** As a TOML value that `read` takes; `undefined` when there is no value to print. */
  readonly print: (value: T) => string | number | readonly string[] | undefined
}

const count = (value: unknown, from: number, to: number) =>
  typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to ? value : undefined

export const wholeNumber = (from: number, to: number): Kind<number> => ({
  expects: `a whole number from ${from} to ${to}`,
  numeric: true,
  read: (value) => count(value, from, to),
  print: (value) => value,
})

type Units = Readonly<Record<string, number>>
const sizeUnits = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const
const timeUnits = { s: 1, m: 60, h: 3600, d: 86_400 } as const

const withUnit = (value: unknown, units: Units): unknown => {
  if (typeof value !== 'string') return value
  const [, digits, unit] = /^(\d{1,12}) ?([A-Za-z]{1,3})$/.exec(value) ?? []
  const factor = unit !== undefined && Object.hasOwn(units, unit) ? units[unit] : undefined
  return factor === undefined ? undefined : Number(digits) * factor
}

/** In the largest unit that divides it: nothing is rounded. */
const inUnits = (value: number, units: Units) => {
  const [unit, factor] = Object.entries(units).findLast(([, factor]) => value % factor === 0) ?? []
  return unit === undefined || factor === undefined ? value : `${value / factor}${unit}`
}

const measure =
  (what: string, units: Units) =>
  (from: number, to: number): Kind<number> => ({
    expects: `${what} from ${inUnits(from, units)} to ${inUnits(to, units)}`,
    numeric: true,
    read: (value) => count(withUnit(value, units), from, to),
    print: (value) => inUnits(value, units),
  })

/** Octets: a number, or `"200MiB"`. */
export const size = measure('a number of octets, or "64KiB", "200MiB", "1GiB",', sizeUnits)
/** Seconds: a number, or `"5m"`. */
export const duration = measure('a number of seconds, or "30s", "5m", "1h",', timeUnits)

export const port: Kind<Port> = {
  expects: 'a TCP port from 1 to 65535, 0 for any free one, or "off"',
  numeric: true,
  read: (value) => (value === 'off' ? 'off' : count(value, 0, 65_535)),
  print: (value) => value,
}

const text = (expects: string, read: (value: string) => string | undefined): Kind<string> => ({
  expects,
  numeric: false,
  read: (value) => (typeof value === 'string' ? read(value) : undefined),
  print: (value) => value,
})

export const domain = text('a domain name such as "archive.example.com" (international ones as xn--…)', hostNameOf)

export const host = text('an IP address or a host name, without a port', (value) =>
  isIP(value) === 0 ? hostNameOf(value) : value,
)

const pathText = (value: string) => (value.trim() === '' || value.includes('\0') ? undefined : value)
export const path = text('the path of a directory', pathText)
/** Nothing: where it lies by default. */
export const optionalPath: Kind<string | undefined> = path as Kind<string | undefined>
const file = text('the path of a file', pathText)
export const optionalFile: Kind<string | undefined> = file as Kind<string | undefined>
/** Several, or one without brackets; nothing is an empty list. */
export const files: Kind<readonly string[]> = {
  expects: 'the path of a file, or a list of them',
  numeric: false,
  list: true,
  read: (value) => {
    const items = (Array.isArray(value) ? value : [value]).map((item) => file.read(item))
    return items.length === 0 || items.includes(undefined) ? undefined : Object.freeze(items as string[])
  },
  print: (value) => (value.length > 1 ? value : value[0]),
}
/** Whether a relative value is taken from the directory of what says it. */
export const isPath = (kind: Kind<unknown>) => kind === path || kind === file || kind === files

export const httpsUrl = text('a URL that begins with https://', (value) =>
  URL.canParse(value) && new URL(value).protocol === 'https:' && new URL(value).username === '' ? value : undefined,
)

/** In the form that a `mailto:` takes without any escape. */
export const optionalEmail: Kind<string | undefined> = text(
  'an e-mail address such as "postmaster@example.com"',
  (value) =>
    /^[A-Za-z0-9._+-]{1,64}@/.test(value) && hostNameOf(value.slice(value.indexOf('@') + 1)) !== undefined
      ? value
      : undefined,
) as Kind<string | undefined>

/** Printed only when it holds no credentials. */
export const optionalStoreUrl: Kind<Secret | undefined> = {
  expects: 'a connection string such as "esdb://user:password@node1.example.com:2113"',
  numeric: false,
  secret: true,
  read: (value) => (typeof value === 'string' && isStoreUrl(value) ? new Secret(value) : undefined),
  print: (value) => (value && !hasLogin(value.reveal()) ? value.reveal() : undefined),
}

const nodePattern = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/
export const nodeName = text('1 to 63 of a-z, 0-9, "." and "-", with a letter or digit at both ends', (value) =>
  nodePattern.test(value) ? value : undefined,
)

/** A host's name made into a node name; `gateway` if nothing is left of it. */
export const nodeNameOf = (hostname: string) =>
  hostname
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^[.-]+|[.-]+$/g, '') || 'gateway'

export const optionalMailbox: Kind<MailboxId | undefined> = {
  expects: 'a mailbox id (mbx- and 32 hexadecimal digits)',
  numeric: false,
  read: (value) => (typeof value === 'string' && isMailboxId(value) ? value : undefined),
  print: (value) => value,
}

const listOf = (expects: string, read: (text: string) => string | undefined): Kind<readonly string[]> => ({
  expects,
  numeric: false,
  list: true,
  read: (value) => {
    if (!Array.isArray(value)) return undefined
    const items = value.map((item: unknown) => (typeof item === 'string' ? read(item) : undefined))
    return items.includes(undefined) ? undefined : Object.freeze(items as string[])
  },
  print: (value) => value,
})

/** In lower case. */
export const domains = listOf('a list of domain names such as "mail.example.com"', hostNameOf)
/** In the form of `parseTargetPattern`. */
export const targets = listOf(
  'a list of servers such as "pop.example.net", "pop.example.net:995", "*.example.net" or "*"',
  parseTargetPattern,
)
/** In the form of `parseNetwork`. */
export const networks = listOf('a list of networks such as "192.0.2.0/24", "2001:db8::/32" or "10.1.2.3"', parseNetwork)

/** Host names, in lower case. */
export const hostNames = listOf('a list of host names such as "mail.example.com"', hostNameOf)

/** Some of a few words, in their own order. */
export const someOf = <T extends string>(...words: readonly T[]): Kind<readonly T[]> => ({
  expects: `a list of ${words.map((word) => `"${word}"`).join(', ')}`,
  numeric: false,
  list: true,
  read: (value) => {
    if (!Array.isArray(value) || !value.every((item) => words.some((word) => word === item))) return undefined
    return Object.freeze(words.filter((word) => value.includes(word)))
  },
  print: (value) => value,
})

/** One of a few words. */
export const oneOf = <T extends string>(...words: readonly T[]): Kind<T> => ({
  expects: words.map((word) => `"${word}"`).join(words.length > 2 ? ', ' : ' or '),
  numeric: false,
  read: (value) => words.find((word) => word === value),
  print: (value) => value,
})

export const logLevel = oneOf<LogLevel>('info', 'warn', 'error', 'off')
