import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Fault, nothingMore } from '../fault.ts'
import { attachStrace, heldUp, type Injection, underStrace } from '../strace.ts'
import type { World } from '../world.ts'
import { filesOf, traceIn } from './steps.ts'

const atAnyMoment: Fault = {
  name: 'kill at any moment',
  how: '`kill -9` under load, up to three times',
  outcomes: ['killed'],
  needs: [],
  inflict: async (world) => {
    const { random } = world
    for (let kills = random.whole(1, 3); kills > 0; kills--) {
      const gateway = await world.start()
      const load = world.load()
      await load.acknowledged(random.whole(0, 40), 10_000)
      await delay(random.whole(0, 30))
      await gateway.kill()
      await load.stop()
    }
    return nothingMore
  },
}

/** Milliseconds in which the load comes to the step, or the gateway is killed anyway. */
const patience = 8_000

/** Until the gateway has ended by the step; by hand if the step did not come. */
const endedBy = async ({ gateway }: World, step: () => boolean): Promise<void> => {
  if (!gateway) return
  const until = Date.now() + patience
  while (gateway.process.signalCode === null && !step() && Date.now() < until) await delay(5)
  await gateway.kill()
}

type Step = Pick<Injection, 'calls' | 'what'> & {
  readonly name: string
  readonly how: string
  readonly of: 'log' | 'pack' | 'views'
  /** Calls within which the one is that is the end. */
  readonly among: readonly [number, number]
}

const killAt = ({ name, how, calls, what, of, among }: Step): Fault => ({
  name,
  how,
  outcomes: ['killed'],
  needs: ['strace'],
  inflict: async (world) => {
    const output = traceIn(world)
    const paths = filesOf(world)[of]
    const when = String(world.random.whole(...among))
    await world.start({ under: underStrace({ calls, what, when, paths, output }) })
    const load = world.load()
    await endedBy(world, heldUp(output))
    await load.stop()
    return nothingMore
  },
})

/** Microseconds that are enough to kill it in. */
const held = 5_000_000
const written = { calls: ['pwrite64'], what: `delay_enter=${held}` }
const flushed = { calls: ['fsync'], what: `delay_enter=${held}` }
const answered = { calls: ['fsync'], what: `delay_exit=${held}` }

const steps: readonly Step[] = [
  {
    ...written,
    name: 'kill between vault and log',
    of: 'log',
    among: [20, 150],
    how: 'killed at a write to the log: the object is durable, its events are not',
  },
  {
    ...flushed,
    name: 'kill in a group commit of the log',
    of: 'log',
    among: [8, 50],
    how: "killed at a flush of the log's transaction",
  },
  {
    ...answered,
    name: 'kill between log and reply',
    of: 'log',
    among: [8, 50],
    how: 'killed after a flush of the log, before anybody is answered',
  },
  {
    ...written,
    name: 'kill in a group commit of the vault',
    of: 'pack',
    among: [3, 200],
    how: 'killed in the middle of the writes of a transaction of the pack',
  },
  {
    ...flushed,
    name: 'kill at a flush of the vault',
    of: 'pack',
    among: [1, 30],
    how: "killed at a flush of the pack's transaction",
  },
  {
    ...written,
    name: 'kill in a commit of the views',
    of: 'views',
    among: [2, 150],
    how: "killed in the middle of the writes of the views' transaction",
  },
]

const inPurge: Fault = {
  name: 'kill in a purge',
  how: 'killed at a write to pack or log while deleted messages are destroyed',
  outcomes: ['killed'],
  needs: ['strace'],
  inflict: async (world) => {
    const { random } = world
    Object.assign(world.env, { SEALPOST_RETENTION_GRACE: '0s', SEALPOST_RETENTION_SWEEP: '1s' })
    const gateway = await world.start()
    const load = world.load({ senders: 3, collectors: 3 })
    await load.acknowledged(random.whole(20, 60), 10_000)
    const of = random.one(['pack', 'pack', 'log'] as const)
    const injection = {
      calls: ['pwrite64'],
      what: 'signal=KILL',
      when: String(random.whole(1, 25)),
      paths: filesOf(world)[of],
      output: traceIn(world),
    }
    await load.stop()
    // Only collectors, so that what is written belongs to deletions.
    const collecting = world.load({ senders: 0, collectors: 2 })
    await attachStrace(gateway.process.pid ?? 0, injection)
    await endedBy(world, () => false)
    await collecting.stop()
    return nothingMore
  },
}

/** What a change of keys calls in the key directory, a few times each. */
const ofKeyFiles = ['fsync', 'link', 'rename', 'unlink', 'openat']

const inKeyChange: Fault = {
  name: 'kill in a change of keys',
  how: 'killed at a step of `mailbox rotate-key` or `mailbox password`, or of the login after it that removes old files',
  outcomes: ['killed'],
  needs: ['strace'],
  inflict: async (world) => {
    const { random, mailboxes } = world
    const gateway = await world.start()
    const load = world.load()
    await load.acknowledged(10, 10_000)
    await load.stop()
    const [mailbox] = mailboxes
    if (!mailbox) return nothingMore
    const injection = {
      calls: [random.one(ofKeyFiles)],
      what: 'signal=KILL',
      when: String(random.whole(1, 4)),
      output: traceIn(world),
    }
    await attachStrace(gateway.process.pid ?? 0, injection)
    await (random.chance(0.7) ? rotateKey(world, mailbox) : changePassword(world, mailbox))
    if (gateway.process.signalCode === null) await delay(random.whole(0, 300))
    await gateway.kill()
    return nothingMore
  },
}

type Mailbox = World['mailboxes'][number]

const rotateKey = async ({ gateway, scratch }: World, { mailboxId, passwords }: Mailbox) => {
  const file = fileWith(scratch, passwords[0] ?? '')
  await gateway?.command('mailbox', 'rotate-key', mailboxId, '--password-file', file).catch(() => undefined)
}

/** The new one is chosen here, so that it is known although the answer may not come. */
const changePassword = async ({ gateway, scratch, random }: World, { mailboxId, passwords }: Mailbox) => {
  const [old = ''] = passwords
  const chosen = `chosen-${random.whole(100_000, 999_999)}-${random.whole(100_000, 999_999)}`
  const files = ['--old-password-file', fileWith(scratch, old), '--new-password-file', fileWith(scratch, chosen)]
  passwords.push(chosen)
  await gateway?.command('mailbox', 'password', mailboxId, ...files).then(
    () => passwords.splice(0, 1),
    () => undefined,
  )
}

let files = 0
const fileWith = (scratch: string, text: string) => {
  const path = join(scratch, `secret-${files++}`)
  writeFileSync(path, text)
  return path
}

export const kills: readonly Fault[] = [atAnyMoment, ...steps.map(killAt), inPurge, inKeyChange]
