import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { pop3Client } from '../../support/pop3Client.ts'
import { smtpClient } from '../../support/smtpClient.ts'
import { deliverOne } from '../clients.ts'
import { onEventStore } from '../eventStore.ts'
import { type Fault, nothingMore } from '../fault.ts'
import { Violation } from '../ledger.ts'
import { within } from '../within.ts'
import { renewMailboxes, type World } from '../world.ts'

const away: Fault = {
  name: 'event store away',
  how: 'the event store is killed under load, once between commit and answer, and comes back some seconds later',
  outcomes: ['went on'],
  needs: [],
  inflict: async (world) => {
    const { random } = world
    const store = await onEventStore(world)
    await renewMailboxes(world, await world.start())
    const load = world.load()
    for (let times = random.whole(1, 2); times > 0; times--) {
      await load.acknowledged(random.whole(3, 20), 10_000)
      if (random.chance(0.5)) store.arm({ is: 'killed' })
      await delay(random.whole(0, 100))
      await store.kill()
      await delay(random.whole(100, 6_000))
      await store.start()
      await load.acknowledged(5, 15_000)
    }
    await load.stop()
    return nothingMore
  },
}

/** Milliseconds in which everybody has to be answered while the log is away, and mebibytes that a gateway may grow by. */
const answered = 30_000
const growth = 100

const awayForMinutes: Fault = {
  name: 'event store away for minutes',
  how: `the event store is killed, or hangs, under load for two to three minutes, in which senders and collectors are answered within ${answered / 1000} seconds and the gateway grows by less than ${growth} MiB`,
  outcomes: ['went on'],
  needs: [],
  isLong: true,
  inflict: async (world) => {
    const { random } = world
    const store = await onEventStore(world)
    const gateway = await world.start()
    await renewMailboxes(world, gateway)
    const load = world.load()
    await load.acknowledged(random.whole(10, 30), 10_000)
    const before = residentOf(gateway.process.pid)
    const hangs = random.chance(0.5)
    if (hangs) store.freeze()
    else await store.kill()
    for (const until = Date.now() + random.whole(120_000, 180_000); Date.now() < until;) {
      await isPutOff(world)
      await delay(2_000)
    }
    const grown = residentOf(gateway.process.pid) - before
    if (hangs) store.thaw()
    else await store.start()
    if (grown > growth) throw new Violation(`the gateway grew by ${grown} MiB while its log was away`)
    if (!(await load.acknowledged(20, 30_000))) throw new Violation('nothing is taken although the log is back')
    await load.stop()
    return nothingMore
  },
}

const residentOf = (pid = 0): number => {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kibibytes) / 1024)
}

/** Neither is anybody kept waiting nor is a mail taken. */
const isPutOff = async (world: World): Promise<void> => {
  const { ports, mailboxes, random } = world
  const sender = await within(answered, smtpClient(ports.smtp))
  const collector = await within(answered, pop3Client(ports.pop3s))
  try {
    const reply = await within(answered, deliverOne(sender, world))
    if (!reply.startsWith('4')) throw new Violation(`with its log away the gateway says ${reply}`)
    const { mailboxId, passwords } = random.one(mailboxes)
    world.ledger.heard(await within(answered, collector.login(mailboxId, passwords[0] ?? '')))
  } finally {
    for (const { wire } of [sender, collector]) wire.destroy()
  }
}

export const logAway: readonly Fault[] = [away, awayForMinutes]
