import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { scratchEnv } from '../../ops/scratchGateway.ts'
import { loadConfig } from '../../src/config.ts'
import { fsck } from '../../src/fsck.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { logIn } from '../support/testGateway.ts'
import { deliverOne, type Mailbox, recognised } from './clients.ts'
import { content, type Expected, expectedAt, type Mail, Violation } from './ledger.ts'
import type { Providers } from './providers.ts'
import { fetchSome, submitSome } from './proxiedClients.ts'
import { within } from './within.ts'
import type { World } from './world.ts'

/** What a fault made of a gateway. */
export type Outcome =
  /** It serves again, without a hand. */
  | 'went on'
  /** It ended by itself, saying why. */
  | 'stopped'
  /** The fault was its end. */
  | 'killed'

/** Milliseconds in which a gateway whose fault is over serves again, or has ended. */
const patience = 30_000

/** Waits until one or the other is sure; throws when it is neither. */
export const outcomeOf = async (world: World): Promise<Outcome> => {
  const process = world.gateway?.process
  // As a service manager sees it that tries it again.
  if (world.refused) return saidWhy(world, 1)
  if (!process) return 'killed'
  const until = Date.now() + patience
  while (Date.now() < until) {
    if (process.signalCode !== null) return 'killed'
    if (process.exitCode !== null) return saidWhy(world, process.exitCode)
    const failure = await failureOf(() => servesAll(world))
    if (failure === undefined) return 'went on'
    if (failure instanceof Violation) throw failure
    await delay(50)
  }
  throw new Violation(`the gateway neither serves nor ends: ${world.gateway?.output().slice(-2_000)}`)
}

const failureOf = async (work: () => Promise<void>): Promise<unknown> => {
  try {
    await work()
    return undefined
  } catch (error) {
    return error
  }
}

/** One clear sentence, no stack, and an exit code that a service manager takes for a failure. */
export const saidWhy = (world: World, code: number): Outcome => {
  if (code === 0) throw new Violation('the gateway ended as if it had been told to')
  const said = world.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
  if (said.length !== 1 || !said[0]?.startsWith('sealpost: '))
    throw new Violation(`the gateway ended (${code}) without one clear sentence: ${JSON.stringify(said)}`)
  return 'stopped'
}

const servesAll = async (world: World) => {
  const client = await within(10_000, smtpClient(world.ports.smtp))
  try {
    const reply = await within(20_000, deliverOne(client, world))
    if (!reply.startsWith('250 ')) throw new Error(reply)
  } finally {
    client.wire.destroy()
  }
  for (const mailbox of world.mailboxes) (await loggedIn(world, mailbox)).wire.destroy()
  if (world.providers) await proxies(world, world.providers)
}

const proxies = async (world: World, providers: Providers) => {
  const sender = await within(10_000, smtpClient(world.ports.submissions, { tls: true }))
  const reader = await within(10_000, pop3Client(world.ports.pop3s))
  try {
    const reply = await within(20_000, submitSome(sender, providers, world))
    if (!reply.startsWith('250 ')) throw new Error(reply)
    await within(20_000, fetchSome(reader, providers, world))
  } finally {
    for (const { wire } of [sender, reader]) wire.destroy()
  }
}

export const loggedIn = async ({ ports }: World, { mailboxId, passwords }: Mailbox) => {
  let answer = ''
  for (const password of passwords) {
    const client = await within(10_000, pop3Client(ports.pop3s))
    answer = await within(20_000, client.login(mailboxId, password))
    if (answer.startsWith('+OK')) return client
    client.wire.destroy()
  }
  throw new Error(answer)
}

/** A maildrop may be locked by a session whose client has died, until the gateway has seen that. */
export const patiently = async <T>(work: () => Promise<T>): Promise<T> => {
  const until = Date.now() + patience
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (Date.now() > until) throw new Violation(`a mailbox does not open: ${String(error)}`)
      await delay(100)
    }
  }
}

/** Milliseconds in which a gateway has settled what became of the messages that it was relaying when it ended. */
const settling = 15_000

/** Throws unless everything is there, octet for octet and once, that was acknowledged before the world ended at `at`. */
export const verifyMail = async (world: World, at = Infinity): Promise<void> => {
  const { ledger, providers } = world
  if (ledger.refusals.length > 0) throw new Violation(`somebody was refused for good: ${ledger.refusals[0]}`)
  providers?.verify()
  for (const until = Date.now() + settling; ;) {
    const found = await everythingIn(world)
    const of = (expected: Expected) => [...ledger.mails.values()].filter((mail) => expectedAt(mail, at) === expected)
    for (const mail of of('gone')) if (found.has(mail)) throw new Violation(`mail ${mail.name} is back`)
    const lost = of('there').filter((mail) => !found.has(mail))
    if (lost.length === 0) return
    if (lost.some(({ source }) => source !== 'smtp-proxy') || Date.now() > until)
      throw new Violation(`lost: ${lost.map(({ name, source }) => `mail ${name} (${source})`).join(', ')}`)
    await delay(200)
  }
}

/** The mails that are there, none more often than it was given. */
const everythingIn = async (world: World): Promise<ReadonlySet<Mail>> => {
  const { ledger, mailboxes } = world
  const found = new Map<Mail, number>()
  for (const [index, mailbox] of mailboxes.entries()) {
    const client = await patiently(() => loggedIn(world, mailbox))
    const count = Number((await client.command('STAT')).split(' ')[1])
    for (let number = 1; number <= count; number++) {
      const mail = recognised(ledger, index, await within(20_000, client.retrieve(number)))
      const copies = (found.get(mail) ?? 0) + 1
      if (copies > mail.given) throw new Violation(`mail ${mail.name} is there ${copies} times`)
      found.set(mail, copies)
    }
    await client.quit()
  }
  return new Set(found.keys())
}

/** Throws unless the log tells of every message that had been handed out before the world ended at `at`. */
export const verifyRetrievals = async ({ data, env, ledger }: World, at = Infinity): Promise<void> => {
  const told = new Set<string>()
  for (const { type, data: about } of await logIn(data, env)) if (type === 'MessageRetrieved') told.add(about.messageId)
  for (const [messageId, moment] of ledger.retrievals)
    if (moment <= at && !told.has(messageId))
      throw new Violation(`${messageId} was handed out, and nothing is recorded`)
}

/** Throws unless the data directory of a gateway that has ended is what its log says, and tells of no mail. */
export const verifyDirectory = async ({ data, ports, env }: World): Promise<void> => {
  const telling = filesIn(data).find((file) => readFileSync(file).includes(content))
  if (telling !== undefined) throw new Violation(`${telling} has a mail's words`)
  const config = loadConfig({ cwd: data, env: { ...scratchEnv(data, ports), ...env } })
  const { problems } = await fsck({ config, repair: false })
  if (problems.length > 0) throw new Violation(`fsck: ${problems.slice(0, 5).join(' ')}`)
}

const filesIn = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))

/** Throws unless a gateway that runs ends well. */
export const stopWell = async (world: World): Promise<void> => {
  const code = await world.gateway?.stop()
  world.gateway = undefined
  if (code !== 0 && code !== undefined)
    throw new Violation(`the gateway ended with ${code} when it was told to stop: ${world.stderr}`)
}
