import { rmSync } from 'node:fs'
import { pathsIn } from '../../src/dataDirectory.ts'
import { forgetSaid } from '../support/said.ts'
import type { Fault } from './fault.ts'
import { type Outcome, outcomeOf, stopWell, verifyDirectory, verifyMail, verifyRetrievals } from './judge.ts'
import { Violation } from './ledger.ts'
import { randomFrom } from './random.ts'
import { newWorld, removeWorld, type Template, type World } from './world.ts'

export type Round = { readonly seed: number; readonly outcome: Outcome; readonly acknowledged: number }

/** One fault on one fresh world. Throws what was wrong; the world is kept then, and its place told. */
export const runRound = async (fault: Fault, template: Template, seed: number): Promise<Round> => {
  const world = await newWorld(template, randomFrom(seed))
  try {
    const further = await fault.inflict(world)
    const outcome = await outcomeOf(world)
    if (!fault.outcomes.includes(outcome)) throw new Violation(`the gateway ${outcome}: ${world.stderr}`)
    if (outcome === 'went on') await verifyMail(world)
    if (outcome === 'went on') await stopWell(world)
    for (const one of further) await recovers(one.world, one.at)
    if (further.length === 0) await recovers(world)
    await removeWorld(world, false)
    forgetSaid()
    return { seed, outcome, acknowledged: world.ledger.acknowledgements() }
  } catch (error) {
    await removeWorld(world, true)
    throw new Error(`its data is kept in ${world.data}`, { cause: error })
  }
}

const removeViews = ({ data }: World) => {
  for (const ending of ['', '-wal', '-shm']) rmSync(`${pathsIn(data).views}${ending}`, { force: true })
}

/** A start without the fault: everything is there, before and after it. The views may be thrown away before. */
const recovers = async (world: World, at?: number) => {
  await verifyDirectory(world)
  await verifyRetrievals(world, at)
  if (world.random.chance(0.25)) removeViews(world)
  try {
    await world.start()
    await verifyMail(world, at)
    await stopWell(world)
  } finally {
    await world.gateway?.kill()
  }
  await verifyDirectory(world)
}
