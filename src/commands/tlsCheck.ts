import type { Look, Report } from '../tlsCheck/check.ts'
import { configuredTargets, protocols, targetAt, type Target } from '../tlsCheck/targets.ts'
import { type Command, type Given, UsageError } from './command.ts'
import { configured } from './configured.ts'
import { facts, write, writeJson } from './output.ts'

export const tlsCheck: Command = {
  name: 'tls check',
  summary: 'Show what peers see of the certificate and of TLS, and whether one that insists on both would turn away',
  operands: [],
  isLocal: true,
  options: {
    host: {
      value: 'HOST',
      about: 'Where to connect to; otherwise the listeners of the configuration, on this machine',
    },
    port: {
      value: 'PORT',
      about: 'Such as 25, or smtp:2600 where that says more; otherwise all that are configured',
      multiple: true,
    },
    name: { value: 'NAME', about: 'By which peers reach it; otherwise the MX records and the domain say' },
    ca: { value: 'FILE', about: 'Authorities (PEM) to trust; otherwise those that are publicly trusted' },
    dns: { value: 'SERVER', about: "A name server's address, in place of the system's" },
  },
  more: () =>
    `Exit code 1 when a peer that insists on a verified certificate would turn away at a listener, or a sender would not\ntake the MTA-STS policy. Of several MX hosts one has to be right: others may be other machines.\nWhat PORT may begin with: ${protocols.join(', ')}.\n`,
  run: async (given, io) => {
    const config = configured(given, io)
    const targets = targetsOf(given, configuredTargets(config))
    // Loaded only here: no other command needs them.
    const [{ check }, { remoteContext }] = await Promise.all([
      import('../tlsCheck/check.ts'),
      import('../tls/authorities.ts'),
    ])
    const context = remoteContext({ setting: '--ca', file: given.optional('ca') })
    const [name, dns] = [given.optional('name'), given.optional('dns')]
    const report = await check({ config, targets, name, dns, context, now: new Date() })
    if (given.flag('json')) await writeJson(io.stdout, report)
    else await write(io.stdout, textOf(report))
    return report.ok ? 0 : 1
  },
}

const targetsOf = (given: Given, configured: readonly Target[]): readonly Target[] => {
  const host = given.optional('host')
  const wanted = given.all('port').map((port) => {
    const own = configured.find((target) => String(target.port) === port)
    const target = targetAt(port, host ?? own?.host ?? '127.0.0.1', configured)
    if (!target)
      throw new UsageError(`--port ${port}: say what is spoken there, as smtp:${/\d+$/.exec(port)?.[0] ?? '25'}`)
    return target
  })
  const targets = wanted.length > 0 ? wanted : configured.map((target) => ({ ...target, host: host ?? target.host }))
  if (targets.length === 0) throw new UsageError('No listener is configured at a port that is known: say --port')
  return targets
}

const textOf = ({ domain, looks, mx, policy, notes, ok }: Report) =>
  [
    ...looks.map(lookText),
    ...(mx === undefined ? [] : [facts([[`MX of ${domain}`, mx.length > 0 ? mx.join(', ') : 'none']])]),
    ...(policy
      ? [
          facts([
            ['MTA-STS policy', verdict(policy.problems)],
            ['TXT record', `_mta-sts.${domain} "${policy.record}"`],
          ]),
        ]
      : []),
    ...(notes.length > 0 ? [notes.map((note) => `${note}.\n`).join('')] : []),
    ok
      ? 'Peers that insist on a verified certificate are served.\n'
      : 'Peers that insist on a verified certificate turn away.\n',
  ].join('\n')

const verdict = (problems: readonly string[]) => (problems.length > 0 ? `no: ${problems.join('; ')}` : 'yes')

const lookText = ({ protocol, host, port, name, seen, problems }: Look) =>
  `${protocol} at ${host} port ${port}, as ${name}\n` +
  facts([
    ...(seen
      ? ([
          ['  TLS', `${seen.protocol}, ${seen.cipher}`],
          ['  Names', seen.names.join(', ')],
          ['  Chain', seen.chain.map(({ subject }) => subject || '(no subject)').join(' < ')],
          ['  Issued by', seen.chain.at(-1)?.issuer ?? ''],
          ['  Expires', seen.expires.slice(0, 10)],
        ] as const)
      : []),
    ['  Verified', verdict(problems)],
  ])
