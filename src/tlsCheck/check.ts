import type { SecureContext } from 'node:tls'
import { policyRecord, policyText } from '../tls/mtaSts.ts'
import { type Config, policyHost } from '../config.ts'
import { type Announced, announcedBy } from './dns.ts'
import { fetchPolicy } from './fetchPolicy.ts'
import { look, type Seen } from './look.ts'
import type { CheckedProtocol, Target } from './targets.ts'
import { untrustedBecause } from './untrusted.ts'

/** One look at one listener under one name. */
export type Look = {
  readonly protocol: CheckedProtocol
  readonly host: string
  readonly port: number
  readonly name: string
  /** Undefined when TLS was not reached. */
  readonly seen: Seen | undefined
  /** Why a peer that insists on a verified certificate would turn away; none: it would not. */
  readonly problems: readonly string[]
}

export type PolicyReport = {
  readonly host: string
  /** The TXT record that announces it. */
  readonly record: string
  readonly problems: readonly string[]
}

export type Report = {
  readonly domain: string
  readonly looks: readonly Look[]
  readonly mx: readonly string[] | undefined
  readonly policy: PolicyReport | undefined
  /** What should be seen to, and turns nobody away. */
  readonly notes: readonly string[]
  /** Whether a peer that insists on a verified certificate would be served at every listener. */
  readonly ok: boolean
}

export type CheckParts = {
  readonly config: Config
  readonly targets: readonly Target[]
  /** The name by which peers reach it; without one senders go by the MX records, others by the domain. */
  readonly name: string | undefined
  /** A name server in place of the system's. */
  readonly dns: string | undefined
  readonly context: SecureContext
  readonly now: Date
}

/** Looks at everything as peers see it. Never rejects because of what it sees. */
export const check = async (parts: CheckParts): Promise<Report> => {
  const { config, targets } = parts
  const { domain } = config.gateway
  const announced = await announcedBy(domain, parts.dns)
  const senders = parts.name === undefined ? mailHosts(domain, announced) : [parts.name]
  const looks: Look[] = []
  for (const target of targets) looks.push(...(await looksAt(target, namesFor(target, senders, parts), parts)))
  const policyTarget = targets.find(({ protocol }) => protocol === 'mta-sts')
  const policy = policyTarget && (await policyReport(policyTarget, senders, parts))
  const refused = targets.filter((target) => looks.filter(({ port }) => port === target.port).every(({ problems }) => problems.length > 0)) // prettier-ignore
  return {
    domain,
    looks,
    mx: announced.mx,
    policy,
    notes: notesOf(parts, announced, looks, refused.length),
    ok: refused.length === 0 && (policy?.problems.length ?? 0) === 0,
  }
}

/** RFC 5321 §5.1: without MX records the domain itself; RFC 7505: "." takes no mail. */
const mailHosts = (domain: string, { mx = [] }: Announced) => {
  const hosts = mx.filter((host) => host !== '' && host !== '.')
  return hosts.length > 0 ? hosts : [domain]
}

const namesFor = ({ protocol }: Target, senders: readonly string[], { config, name }: CheckParts) => {
  if (protocol === 'mta-sts') return [policyHost(config)]
  return protocol === 'smtp' || protocol === 'smtps' ? senders : [name ?? config.gateway.domain]
}

const looksAt = (target: Target, names: readonly string[], { context, now }: CheckParts): Promise<readonly Look[]> =>
  Promise.all(
    names.map(async (name) => {
      const { protocol, host, port } = target
      try {
        const seen = await look({ ...target, name }, context)
        return { protocol, host, port, name, seen, problems: problemsOf(seen, name, now) }
      } catch (error) {
        const reason =
          error instanceof Error ? error.message || ('code' in error ? String(error.code) : '') : String(error)
        return { protocol, host, port, name, seen: undefined, problems: [`there is no TLS: ${reason}`] }
      }
    }),
  )

const problemsOf = ({ untrusted, isForName, expires }: Seen, name: string, now: Date) => [
  ...(Date.parse(expires) <= now.getTime() ? [`the certificate has expired on ${expires.slice(0, 10)}`] : []),
  ...(untrusted === undefined || untrusted === 'CERT_HAS_EXPIRED' ? [] : [untrustedBecause(untrusted)]),
  ...(isForName ? [] : [`the certificate is not for ${name}`]),
]

/** What a sender does with the policy: it must be the configured one, and let it deliver where it goes to. */
const policyReport = async (
  target: Target,
  senders: readonly string[],
  { config, context }: CheckParts,
): Promise<PolicyReport> => {
  const name = policyHost(config)
  const problems: string[] = []
  try {
    const text = await fetchPolicy({ ...target, name }, context)
    if (text !== policyText(config)) problems.push('the policy that is served is not the configured one')
    const hosts = [...text.matchAll(/^mx:[ \t]*(\S+)[ \t]*\r?$/gm)].map(([, host = '']) => host.toLowerCase())
    const left = senders.filter((sender) => !hosts.includes(sender))
    if (left.length > 0) problems.push(`the policy does not name ${left.join(', ')}`)
  } catch (error) {
    problems.push(`the policy cannot be fetched: ${error instanceof Error ? error.message : String(error)}`)
  }
  return { host: name, record: policyRecord(config), problems }
}

const notesOf = (
  { config, targets }: CheckParts,
  { mx, policyRecords }: Announced,
  looks: readonly Look[],
  refused: number,
) => {
  const { domain } = config.gateway
  const notes: string[] = []
  if (mx === undefined) notes.push(`The MX records of ${domain} could not be asked for`)
  else if (mx.length === 0) notes.push(`${domain} has no MX records: senders go to ${domain} itself`)
  if (refused === 0)
    for (const { name, port, problems } of looks.filter((one) => one.problems.length > 0))
      notes.push(`As ${name}, port ${port}: ${problems.join('; ')}. Another host may answer there`)
  if (!targets.some(({ protocol }) => protocol === 'mta-sts')) return notes
  const record = policyRecord(config)
  const where = `_mta-sts.${domain}`
  if (policyRecords === undefined) notes.push(`The TXT record at ${where} could not be asked for`)
  else if (policyRecords.length === 0)
    notes.push(`Nobody asks for the policy until ${where} has the TXT record "${record}"`)
  else if (policyRecords.length > 1)
    notes.push(`${where} has more than one record, so senders take none (RFC 8461 §3.1)`)
  else if (policyRecords[0]?.replaceAll(/\s/g, '') !== record.replaceAll(/\s/g, ''))
    notes.push(`The TXT record at ${where} has another id: senders may keep an older policy; it should be "${record}"`)
  return notes
}
