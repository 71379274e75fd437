import { spawnSync } from 'node:child_process'
import { rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Fault, nothingMore } from '../fault.ts'
import { stopWell } from '../judge.ts'
import type { World } from '../world.ts'

const must = (program: string, ...args: readonly string[]) => {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`)
}

const fullDisk: Fault = {
  name: 'full disk',
  how: 'the file system of the data directory fills up under load, and has room again',
  outcomes: ['went on'],
  needs: ['mount'],
  inflict: async (world) => {
    const { random } = world
    const { fill, empty } = onSmallDisk(world)
    // Nothing held back, so that it meets the very end of the disk; or what ordinary gateways hold back, in small.
    await world.start({ env: { SEALPOST_LIMITS_DISK_RESERVE: random.one(['0', '20MiB']) } })
    const load = world.load()
    await load.acknowledged(random.whole(5, 40), 10_000)
    fill()
    await delay(random.whole(300, 1_500))
    empty()
    await load.acknowledged(10, 10_000)
    await load.stop()
    return nothingMore
  },
}

/** Some are not enough for anything, others for a start. */
const roomLeft = [0, 0, 4_096, 16_384, 65_536, 262_144, 1_048_576]

const fullAtStart: Fault = {
  name: 'full disk at start',
  how: 'the file system of the data directory is full, or all but full, when the gateway starts after a stop or a crash; then it has room again',
  outcomes: ['went on', 'stopped'],
  needs: ['mount'],
  inflict: async (world) => {
    const { random } = world
    const { fill, empty } = onSmallDisk(world)
    const env = { SEALPOST_LIMITS_DISK_RESERVE: random.one(['0', '20MiB']) }
    const before = await world.start({ env })
    const load = world.load()
    await load.acknowledged(random.whole(5, 40), 10_000)
    await load.stop()
    await (random.chance(0.5) ? stopWell(world) : before.kill())
    fill(random.one(roomLeft))
    const served = await world.start({ env }).then(
      () => true,
      () => false,
    )
    if (served) {
      const meanwhile = world.load()
      await delay(random.whole(300, 1_500))
      empty()
      await meanwhile.acknowledged(10, 10_000)
      await meanwhile.stop()
    }
    empty()
    return nothingMore
  },
}

/** Puts the data directory on a file system of its own. */
const onSmallDisk = ({ data, scratch, random, undo }: World) => {
  const kept = join(scratch, 'data')
  must('cp', '-a', data, kept)
  must('mount', '-t', 'tmpfs', '-o', `size=${random.whole(60, 90)}m,mode=700`, 'tmpfs', data)
  undo.push(() => spawnSync('umount', ['-l', data]))
  must('cp', '-a', `${kept}/.`, data)
  const ballast = join(data, 'ballast')
  return {
    /** To the last octet that there is room for, less so many. */
    fill: (left = 0) => {
      spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=64k'], { stdio: 'ignore' })
      if (left > 0) truncateSync(ballast, Math.max(0, statSync(ballast).size - left))
    },
    empty: () => rmSync(ballast, { force: true }),
  }
}

const readOnlyVault: Fault = {
  name: 'vault read-only',
  how: "the vault's directory can only be read, from before the day's first mail on, and can be written again",
  outcomes: ['went on'],
  needs: ['mount'],
  inflict: async (world) => {
    const { data, random } = world
    const vault = join(data, 'vault')
    await world.start()
    must('mount', '--bind', vault, vault)
    const over = () => spawnSync('umount', ['-l', vault])
    world.undo.push(over)
    must('mount', '-o', 'remount,bind,ro', vault)
    const load = world.load()
    await load.acknowledged(1, random.whole(300, 1_500))
    over()
    world.undo.pop()
    await load.acknowledged(10, 10_000)
    await load.stop()
    return nothingMore
  },
}

const strangeVault: Fault = {
  name: 'vault away',
  how: "another, empty file system is mounted over the vault's directory under load, and goes again",
  outcomes: ['went on'],
  needs: ['mount'],
  inflict: async (world: World) => {
    const { data, random } = world
    const vault = join(data, 'vault')
    await world.start()
    const load = world.load()
    await load.acknowledged(random.whole(0, 20), 10_000)
    must('mount', '-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', vault)
    const over = () => spawnSync('umount', ['-l', vault])
    world.undo.push(over)
    await delay(random.whole(200, 1_500))
    over()
    world.undo.pop()
    await load.acknowledged(10, 10_000)
    await load.stop()
    return nothingMore
  },
}

export const storage: readonly Fault[] = [fullDisk, fullAtStart, readOnlyVault, strangeVault]
