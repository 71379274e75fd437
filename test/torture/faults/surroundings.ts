import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Fault, nothingMore } from '../fault.ts'

const stopped: Fault = {
  name: 'stopped and continued',
  how: 'SIGSTOP under load, SIGCONT some seconds later',
  outcomes: ['went on'],
  needs: [],
  inflict: async (world) => {
    const { random } = world
    const gateway = await world.start()
    const load = world.load()
    for (let times = random.whole(1, 2); times > 0; times--) {
      await load.acknowledged(random.whole(0, 20), 10_000)
      gateway.process.kill('SIGSTOP')
      await delay(random.whole(200, 3_000))
      gateway.process.kill('SIGCONT')
    }
    await load.acknowledged(10, 10_000)
    await load.stop()
    return nothingMore
  },
}

/** Where Debian's `libfaketime` package keeps the library, by machine. */
const fakeTime = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path))

/** Seconds by which a clock is set wrong. */
const jumps = [-86_400 * 400, -86_400, -3_600, -61, -1, 1, 61, 3_600, 86_400, 86_400 * 400]

const clockJumps: Fault = {
  name: 'clock jumps',
  how: 'the clock is set forwards and backwards under load, by a second up to a year; the next start has the right time',
  outcomes: ['went on'],
  needs: ['faketime'],
  inflict: async (world) => {
    const { random, scratch } = world
    const clock = join(scratch, 'clock')
    const set = (seconds: number) => writeFileSync(clock, `${seconds < 0 ? '' : '+'}${seconds}\n`)
    set(random.chance(0.5) ? 0 : random.one(jumps))
    const env = {
      LD_PRELOAD: fakeTime ?? '',
      FAKETIME_TIMESTAMP_FILE: clock,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    }
    await world.start({ env })
    const load = world.load()
    for (let times = random.whole(1, 4); times > 0; times--) {
      await load.acknowledged(random.whole(3, 15), 10_000)
      set(random.one(jumps))
    }
    await load.acknowledged(10, 10_000)
    await load.stop()
    return nothingMore
  },
}

export const surroundings: readonly Fault[] = [stopped, clockJumps]
