import type { Fault } from './fault.ts'
import { kills } from './faults/kills.ts'
import { power } from './faults/power.ts'
import { storage } from './faults/storage.ts'
import { surroundings } from './faults/surroundings.ts'

export const faults: readonly Fault[] = [...kills, ...power, ...storage, ...surroundings]
