import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts } from '../../../ops/scratchGateway.ts'
import { onEventStore } from '../eventStore.ts'
import type { Fault } from '../fault.ts'
import { loggedIn, outcomeOf, patiently, stopWell } from '../judge.ts'
import { Violation } from '../ledger.ts'
import { heldUp, underStrace } from '../strace.ts'
import { renewMailboxes, type World, worldOn } from '../world.ts'
import { killedAt, objectStep } from './steps.ts'

/** Gives a world a log, a vault and keys that a second one shares, and starts the first. The second is what is treated ill. */
const together = async (world: World): Promise<World> => {
  const { data, scratch, env, undo } = world
  await onEventStore(world)
  Object.assign(env, {
    SEALPOST_VAULT_ENGINE: 'files',
    SEALPOST_VAULT_DIR: join(data, 'vault'),
    SEALPOST_KEYS_DIR: join(data, 'keys'),
    // The shortest: for so long the maildrops of one that is gone are held.
    SEALPOST_LIMITS_MAILDROP_LEASE: '5',
  })
  await renewMailboxes(world, await world.start())
  const place = join(scratch, 'other')
  mkdirSync(join(place, 'data'), { recursive: true })
  const other = worldOn({
    ...world,
    data: join(place, 'data'),
    scratch: place,
    ports: await freePorts(),
    env: { ...env, SEALPOST_GATEWAY_NODE: 'other' },
  })
  undo.push(() => other.gateway?.kill())
  return other
}

/** Of each of them: what two take in has to be looked through afterwards. */
const some = { senders: 1, collectors: 1 }

type Ending = Pick<Fault, 'name' | 'how' | 'needs'> & {
  /** Starts the second gateway and ends it under load. */
  end(other: World): Promise<void>
}

const oneKilled = ({ end, ...about }: Ending): Fault => ({
  ...about,
  outcomes: ['went on'],
  inflict: async (world) => {
    const other = await together(world)
    const load = world.load(some)
    await end(other)
    if (!(await load.acknowledged(10, 15_000))) throw new Violation('the other gateway does not go on')
    if (world.random.chance(0.5)) await comesBack(other)
    await load.stop()
    return [{ world: other, at: Infinity }]
  },
})

/** Beside the one that goes on. */
const comesBack = async (other: World) => {
  await other.start()
  const load = other.load(some)
  await delay(other.random.whole(500, 2_000))
  await load.stop()
  const outcome = await outcomeOf(other)
  if (outcome !== 'went on') throw new Violation(`the killed gateway ${outcome}: ${other.stderr}`)
  await stopWell(other)
}

const killedAtAnyMoment = oneKilled({
  name: 'one of two killed',
  how: 'of two gateways on one log, one vault and the same keys, both under load, one is killed; the other goes on; the killed one is started again beside it or later',
  needs: [],
  end: async (other) => {
    const gateway = await other.start()
    const load = other.load(some)
    await load.acknowledged(other.random.whole(5, 60), 10_000)
    await delay(other.random.whole(0, 30))
    await gateway.kill()
    await load.stop()
  },
})

const killedAtObject = oneKilled({
  name: 'one of two killed at an object',
  how: "the same, killed before or after the flush of a message's file in the shared vault, its naming, or the flush of its name",
  needs: ['strace'],
  end: async (other) => {
    const injection = objectStep(other)
    await other.start({ under: underStrace(injection) })
    const load = other.load(some)
    await killedAt(other, heldUp(injection.output))
    await load.stop()
  },
})

const oneSleeps: Fault = {
  name: 'one of two sleeps',
  how: 'of two such gateways one is stopped by SIGSTOP, past the lease of a maildrop that it holds; the other serves that maildrop; then the first is continued, and a client quits there who had deleted',
  outcomes: ['went on'],
  needs: [],
  inflict: async (world) => {
    const { random } = world
    const other = await together(world)
    const gateway = await other.start()
    const loads = [world.load(some), other.load({ senders: 1, collectors: 0 })]
    await loads[0]?.acknowledged(random.whole(20, 40), 10_000)
    const mailbox = random.one(world.mailboxes)
    const client = await patiently(() => loggedIn(other, mailbox))
    // Nothing is told to the ledger: what is deleted here must not be gone.
    const marked = await client.command('DELE 1')
    if (!marked.startsWith('+OK')) throw new Error(`nothing could be deleted: ${marked}`)
    gateway.process.kill('SIGSTOP')
    const overtaking = await patiently(() => loggedIn(world, mailbox))
    await overtaking.quit()
    await delay(random.whole(0, 3_000))
    gateway.process.kill('SIGCONT')
    const answer = await client.quit()
    if (answer.startsWith('+OK'))
      throw new Violation('a gateway has deleted in a maildrop that another had served since')
    for (const load of loads) await load.stop()
    await stopWell(other)
    return [{ world: other, at: Infinity }]
  },
}

export const twoGateways: readonly Fault[] = [killedAtAnyMoment, killedAtObject, oneSleeps]
