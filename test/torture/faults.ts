import type { Fault } from './fault.ts'
import { failures } from './faults/failures.ts'
import { kills } from './faults/kills.ts'
import { logAway } from './faults/logAway.ts'
import { power } from './faults/power.ts'
import { storage } from './faults/storage.ts'
import { surroundings } from './faults/surroundings.ts'
import { twoGateways } from './faults/twoGateways.ts'
import { filesVault, inflictedOn, proxied } from './kinds.ts'

const ofAny: readonly Fault[] = [...kills, ...power, ...failures, ...storage, ...surroundings, ...logAway]

/** Those of them that have so much to do with what is different that they are inflicted again. */
const again = (names: readonly string[]) => ofAny.filter(({ name }) => names.includes(name))

const ofFiles = [
  ...['power loss, torn writes', 'power loss after a failed flush', 'full disk', 'full disk at start'],
  ...['vault read-only', 'vault away'],
]
const ofProxies = [
  ...['kill at any moment', 'kill between vault and log', 'kill in a group commit of the log'],
  ...['kill between log and reply', 'power loss, torn writes', 'failed flush of the log', 'no room for the vault'],
  ...['full disk', 'vault away', 'stopped and continued', 'event store away'],
]

export const faults: readonly Fault[] = [
  ...ofAny,
  ...again(ofFiles).map(inflictedOn(filesVault)),
  ...again(ofProxies).map(inflictedOn(proxied)),
  ...twoGateways,
]
