import { setTimeout as delay } from 'node:timers/promises'
import { onEventStore } from '../eventStore.ts'
import { type Fault, nothingMore } from '../fault.ts'
import { renewMailboxes } from '../world.ts'

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

export const logAway: readonly Fault[] = [away]
