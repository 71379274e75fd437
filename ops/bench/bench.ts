// Measures the gateway, and beside it in the same run Postfix + Dovecot on the same work where they are installed, and
// prints a table of rates and ratios. Machines are noisy: the ratios count.
//   npm run bench            everything, some minutes
//   npm run bench -- quick   a tenth of the work, to see that it runs
// What grows with the log can be measured alone: node ops/bench/history.ts
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePorts, startScratchGateway } from '../scratchGateway.ts'
import { adminReads } from './adminReads.ts'
import { history } from './history.ts'
import { idleAndSlow } from './idleAndSlow.ts'
import { manyLarge } from './manyLarge.ts'
import { pop3Proxy } from './pop3Proxy.ts'
import { watchResidentMemory } from './residentMemory.ts'
import { sessionCost } from './sessionCost.ts'
import { smtpProxy } from './smtpProxy.ts'
import { startWithHistory } from './startWithHistory.ts'

const run = promisify(execFile)
const scale = process.argv.includes('quick') ? 0.1 : 1
const times = (count: number) => Math.max(4, Math.round(count * scale))
const has = (program: string) => spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${program}`]).status === 0
const seconds = async (work: () => Promise<unknown>) => {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

/** A system under test: where to send, where to fetch, and how many messages lie sealed by now. */
type Subject = {
  readonly name: string
  readonly smtp: number
  readonly pop3s: number
  mailbox(name: string): Promise<{ readonly address: string; readonly user: string; readonly password: string }>
  sealed(address: string): number | undefined
  readonly memory: ReturnType<typeof watchResidentMemory>
  stop(): Promise<void>
}

/** One address stands for all senders that there are. */
const env = { SEALPOST_LIMITS_MESSAGES_PER_MINUTE: '1000000' }

const sealpost = async (): Promise<Subject> => {
  const gateway = await startScratchGateway({ env })
  const pid = gateway.process.pid ?? 0
  const memory = watchResidentMemory([pid])
  return {
    name: 'Sealpost',
    smtp: gateway.ports.smtp,
    pop3s: gateway.ports.pop3s,
    mailbox: async (name) => {
      const { address, mailboxId, password } = await gateway.createMailbox('--name', name)
      return { address, user: mailboxId, password }
    },
    sealed: () => undefined, // what is accepted is sealed
    memory,
    stop: async () => {
      memory.stop()
      await gateway.stop()
      gateway.remove()
    },
  }
}

const postfixDovecot = async (): Promise<Subject> => {
  const script = join(import.meta.dirname, 'postfixDovecot.sh')
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-peers-'))
  const { smtp, pop3, pop3s } = await freePorts()
  await run(script, ['start', dir, String(smtp), String(pop3), String(pop3s)])
  const masters = execFileSync(script, ['masters', dir], { encoding: 'utf8' }).trim().split(/\s+/)
  const memory = watchResidentMemory(masters.map(Number))
  const sealedIn = (folder: string) => readdirSync(folder).filter((name) => name.includes('S=')).length
  return {
    name: 'Postfix + Dovecot',
    smtp,
    pop3s,
    mailbox: async (name) => {
      await run(script, ['user', dir, name])
      const address = `${name}@journal.test`
      return { address, user: address, password: 'secret-passphrase' }
    },
    sealed: (address) => {
      const box = join(dir, 'mail', address)
      return ['new', 'cur'].reduce((sum, folder) => sum + sealedIn(join(box, folder)), 0)
    },
    memory,
    stop: async () => {
      memory.stop()
      await run(script, ['stop', dir])
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

type Figure = { readonly work: string; readonly unit: string; readonly value: number; readonly memory?: number }

const receive = async (
  subject: Subject,
  work: string,
  address: string,
  size: number,
  count: number,
  parallel: number,
) => {
  const before = subject.sealed(address) ?? 0
  const flags = ['-d', '-s', String(parallel), '-m', String(count), '-l', String(size)]
  const to = ['-f', 'sender@example.com', '-t', address, `127.0.0.1:${subject.smtp}`]
  const started = performance.now()
  const accepted = await seconds(() => run('smtp-source', [...flags, ...to], { env: withSbin }))
  while ((subject.sealed(address) ?? Infinity) < before + count) await delay(50)
  const sealed = (performance.now() - started) / 1000
  const amount = size > 1e6 ? (count * size) / 1e6 : count
  const unit = size > 1e6 ? 'MB/s' : '/s'
  const memory = subject.memory.take()
  return [
    { work: `${work}, accepted`, unit, value: amount / accepted, memory },
    { work: `${work}, sealed`, unit, value: amount / (subject.sealed(address) === undefined ? accepted : sealed) },
  ]
}

const withSbin = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin` }

type Box = Awaited<ReturnType<Subject['mailbox']>>
const retrieve = async (subject: Subject, work: string, box: Box, count: number, depth: number): Promise<Figure> => {
  const script = join(import.meta.dirname, 'pop3Load.ts')
  const args = [script, String(subject.pop3s), box.user, box.password, String(count), String(depth)]
  const { stdout } = await run(process.execPath, args)
  const { messages, octets, seconds } = JSON.parse(stdout) as { messages: number; octets: number; seconds: number }
  const large = octets / messages > 1e6
  return {
    work,
    unit: large ? 'MB/s' : '/s',
    value: (large ? octets / 1e6 : messages) / seconds,
    memory: subject.memory.take(),
  }
}

const smallMessages = async (subject: Subject): Promise<readonly Figure[]> => {
  const small = await subject.mailbox('small')
  subject.memory.take()
  return [
    ...(await receive(subject, '10 KiB, 1 connection', small.address, 10_240, times(600), 1)),
    ...(await receive(subject, '10 KiB, 20 connections', small.address, 10_240, times(6000), 20)),
    await retrieve(subject, 'RETR 10 KiB, depth 1', small, times(3000), 1),
    await retrieve(subject, 'RETR 10 KiB, depth 32', small, times(6000), 32),
  ]
}

const largeMessages = async (subject: Subject): Promise<readonly Figure[]> => {
  const large = await subject.mailbox('large')
  subject.memory.take()
  return [
    ...(await receive(subject, '50 MB, 4 connections', large.address, 50_000_000, times(40), 4)),
    await retrieve(subject, 'RETR 50 MB', large, times(20), 1),
  ]
}

/** Ours only: nothing else sends such bodies, and only the ratio to ordinary text matters. */
const denseLines = async (): Promise<void> => {
  const subject = await sealpost()
  const { address } = await subject.mailbox('dense')
  const load = async (kind: string) => {
    const args = [join(import.meta.dirname, 'smtpLoad.ts'), String(subject.smtp), address, '1', '4', '50000000', kind]
    return (JSON.parse((await run(process.execPath, args)).stdout) as { seconds: number }).seconds
  }
  await load('text')
  const [text, dots] = [await load('text'), await load('dots')]
  await subject.stop()
  console.log(`\n50 MB in \`..\` lines take ${(dots / text).toFixed(2)} × the time of ordinary text (must: under 2).`)
}

// prettier-ignore
const musts: Readonly<Record<string, number>> = {
  '10 KiB, 1 connection, accepted': 2, '10 KiB, 20 connections, accepted': 3.5, '10 KiB, 20 connections, sealed': 12,
  '50 MB, 4 connections, accepted': 1.3, 'RETR 10 KiB, depth 1': 2, 'RETR 10 KiB, depth 32': 2.5, 'RETR 50 MB': 1.3,
}

const table = (ours: readonly Figure[], theirs: readonly Figure[] | undefined) => {
  console.log('| work | Sealpost | peak MiB | Postfix + Dovecot | peak MiB | ratio | must |')
  console.log('|---|---|---|---|---|---|---|')
  for (const { work, unit, value, memory } of ours) {
    const other = theirs?.find((figure) => figure.work === work)
    const figure = (of: Figure | undefined) => (of ? `${of.value.toFixed(0)} ${of.unit}` : '-')
    const ratio = other ? `${(value / other.value).toFixed(1)} ×` : '-'
    const must = musts[work] ? `${musts[work]} ×` : ''
    const row = [work, figure({ work, unit, value }), memory ?? '', figure(other), other?.memory ?? '', ratio, must]
    console.log(`| ${row.join(' | ')} |`)
  }
}

if (!has('smtp-source')) {
  console.error('The benchmark sends with smtp-source, which comes with Postfix (Debian: apt-get install postfix).')
  process.exit(1)
}
/** Each kind of work on a system that has just started: what it holds in memory is that work's. */
const measure = async (start: () => Promise<Subject>): Promise<readonly Figure[]> => {
  const figures: Figure[] = []
  for (const work of [smallMessages, largeMessages]) {
    const subject = await start()
    console.error(`${subject.name} …`)
    try {
      figures.push(...(await work(subject)))
    } finally {
      await subject.stop()
    }
  }
  return figures
}
const servers = ['/usr/lib/dovecot/lmtp', '/usr/lib/dovecot/pop3']
const lacking = ['postfix', 'dovecot', 'doveadm', 'openssl', ...servers].filter((program) => !has(program))
const peersAreThere = process.getuid?.() === 0 && lacking.length === 0
if (!peersAreThere) {
  console.error(
    `Postfix + Dovecot are not measured: they need root and programs, of which ${lacking.join(', ') || 'none'} lack.`,
  )
  console.error('Debian: apt-get install postfix dovecot-core dovecot-lmtpd dovecot-pop3d openssl')
}
const theirs = peersAreThere ? await measure(postfixDovecot) : undefined
const ours = await measure(sealpost)
table(ours, theirs)
await denseLines()
if (peersAreThere) await pop3Proxy(scale)
await smtpProxy(times(400))
await sessionCost(times(400))
const kept = [await idleAndSlow(times(600)), await manyLarge(50, times(150))]
// Of a tenth of the work no rate can be told.
if (scale === 1 && kept.includes(false)) process.exitCode = 1
await startWithHistory(times(100_000))
await history(scale)
await adminReads(scale)
