import fc from 'fast-check'
import { memoryLog } from '../../src/log/memory.ts'
import type { EventLog } from '../../src/core/ports.ts'
import {
  arrived,
  closed,
  created,
  deleted,
  fetched,
  held,
  loggedIn,
  opened,
  purgeDecided,
  purged,
  received,
  relayed,
  relayRefused,
  released,
  reserved,
  restored,
  resumed,
  retrieved,
  sealed,
  submitted,
  suspended,
  unheld,
  updated,
} from './projectionsFacts.ts'
import { append, type Given } from './projectionsGiven.ts'

/** One step of a history: what somebody wants to do, to which of the things that there are then, how much later. */
type Step = { readonly wish: (typeof wishes)[number]; readonly which: number; readonly seconds: number }

const wishes = [
  'create',
  'suspend',
  'resume',
  'reserve',
  'release',
  'receive',
  'receive',
  'receive slowly',
  'submit',
  'answer',
  'fetch',
  'retrieve',
  'retrieve',
  'quit',
  'hold',
  'purge',
  'destroy',
  'restore',
  'delete',
  'connect',
  'hang up',
] as const

export const steps = fc.array(fc.record({ wish: fc.constantFrom(...wishes), which: fc.nat(999), seconds: fc.nat(2) }), {
  minLength: 1,
  maxLength: 40,
})

type Box = {
  readonly number: number
  suspended: boolean
  held: boolean
  gone: boolean
  readonly maildrop: number[]
  readonly all: number[]
  readonly deleted: number[]
  readonly purging: number[]
  /** Sent through the proxy, and not answered yet. */
  readonly pending: number[]
}

/** Everything legal and nothing else: a wish that cannot be had then is passed over. */
const facts = () => {
  const boxes: Box[] = []
  const aliases = new Map<string, number>()
  const sessions: number[] = []
  let messages = 0
  const pick = <T>(from: readonly T[], which: number) => from[which % Math.max(1, from.length)]

  return (wish: Step['wish'], which: number): readonly Given[] => {
    if (wish === 'create') {
      boxes.push({
        number: boxes.length + 1,
        suspended: false,
        held: false,
        gone: false,
        maildrop: [],
        all: [],
        deleted: [],
        purging: [],
        pending: [],
      })
      return [created(boxes.length)]
    }
    const box = pick(boxes, which)
    if (!box) return []
    const { number } = box
    // What was deleted is destroyed, and nothing else happens to it.
    if (box.gone && !['destroy', 'purge', 'connect', 'hang up', 'release'].includes(wish)) return []
    switch (wish) {
      case 'suspend':
      case 'resume':
        if (box.suspended === (wish === 'suspend')) return []
        box.suspended = !box.suspended
        return [box.suspended ? suspended(number) : resumed(number)]
      case 'reserve': {
        const alias = `alias-${which % 5}@example.org`
        if (aliases.has(alias)) return []
        aliases.set(alias, number)
        return [reserved(alias, number)]
      }
      case 'release': {
        const held = pick([...aliases], which)
        if (!held) return []
        aliases.delete(held[0])
        return [released(...held)]
      }
      case 'receive':
      case 'receive slowly': {
        if (box.suspended) return []
        const message = ++messages
        box.maildrop.push(message)
        box.all.push(message)
        return wish === 'receive' ? [arrived(message, number)] : [received(message, number), sealed(message, number)]
      }
      case 'submit':
        if (box.suspended) return []
        box.pending.push(++messages)
        return [submitted(messages, number)]
      case 'answer': {
        const [message] = box.pending.splice(0, 1)
        if (message === undefined) return []
        if (which % 3 === 0) return [relayRefused(message, number)]
        box.maildrop.push(message)
        box.all.push(message)
        return [relayed(message, number, which % 3 === 1 ? 'accepted' : 'unknown')]
      }
      case 'fetch': {
        if (box.suspended) return []
        const message = ++messages
        box.maildrop.push(message)
        box.all.push(message)
        return [fetched(message, number, `origin-${which % 3}`, `content-${which % 2}`)]
      }
      case 'retrieve': {
        const message = pick(box.all, which)
        return message === undefined ? [] : [retrieved(message, number)]
      }
      case 'quit': {
        const deleted = box.maildrop.splice(0, which % 4)
        box.deleted.push(...deleted)
        return deleted.length === 0 ? [] : [updated(number, ...deleted)]
      }
      case 'hold':
        box.held = !box.held
        return [box.held ? held(number) : unheld(number)]
      case 'delete': {
        if (!box.suspended || box.held || box.pending.length > 0) return []
        box.gone = true
        box.deleted.push(...box.maildrop.splice(0))
        return [deleted(number)]
      }
      case 'purge': {
        if (box.held) return []
        const due = box.deleted.splice(0, which % 4)
        box.purging.push(...due)
        return due.length === 0 ? [] : [purgeDecided(number, ...due)]
      }
      case 'destroy': {
        const [message] = box.purging.splice(0, 1)
        return message === undefined ? [] : [purged(message, number)]
      }
      case 'restore': {
        const [message] = box.deleted.splice(which % Math.max(1, box.deleted.length), 1)
        if (message === undefined) return []
        box.maildrop.push(message)
        return [restored(message, number)]
      }
      case 'connect':
        sessions.push(sessions.length + 1)
        return [opened(sessions.length), loggedIn(sessions.length, number)]
      case 'hang up': {
        const session = pick(sessions, which)
        return session === undefined ? [] : [closed(session)]
      }
    }
  }
}

/** A log after these steps. Some of its events have the same time. */
export const logAfter = async (wanted: readonly Step[]): Promise<EventLog> => {
  let now = Date.UTC(2026, 2, 3, 12)
  const log = memoryLog({ clock: { now: () => new Date(now) } })
  const factsOf = facts()
  for (const { wish, which, seconds } of [{ wish: 'create', which: 0, seconds: 0 } as const, ...wanted]) {
    now += seconds * 1000
    await append(log, factsOf(wish, which))
  }
  return log
}
