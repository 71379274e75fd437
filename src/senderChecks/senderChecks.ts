import { setTimeout as delay } from 'node:timers/promises'
import type { Worker } from 'node:worker_threads'
import type { SenderChecks } from '../core/events.ts'
import type { Logger } from '../core/ports.ts'
import { type Calls, callsTo } from '../storage/calls.ts'
import { startThread } from '../storage/thread.ts'
import { allowance } from './allowance.ts'
import type { CheckerMethods, CheckerPlace } from './checkerThread.ts'
import { hearing } from './hearing.ts'
import type { Peer } from './judge.ts'
import { room } from './room.ts'

/** What is found out about the sender of one message while it comes in. */
export type Check = {
  /** The body as it is. The check hears it on its way. */
  heard(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>
  /** Never rejects, and never settles unless the body is read or left. What is not known in time is `temperror`. */
  readonly found: Promise<SenderChecks>
}

/** Begins to check who sends. Whatever becomes of it, the message is received. */
export type CheckSender = (peer: Peer) => Check

export type SenderChecker = { readonly check: CheckSender; close(): Promise<void> }

export type CheckerParts = CheckerPlace & {
  /** Seconds for which a message may be held up in all; read for each message. */
  readonly wait: () => number
  readonly logger: Logger
  /** The thread's program. */
  readonly program?: URL
}

const checkerThread = new URL('./checkerThread.ts', import.meta.url)

/** Octets of all messages on their way to the checker thread. */
const underWay = 8 * 1024 * 1024

/** MiB. A thousand everyday messages that come in at once hold fifty; a thousand that are made to be costly would hold all that there is. */
const mostHeap = 256

/** Milliseconds in which a thread must have come up: until then it has read nothing of a stranger's that could keep it busy. */
const longestStart = 60_000

type Thread = {
  readonly worker: Worker
  readonly call: Calls<CheckerMethods>
  /** Settles when it has come up, or has died before. */
  readonly up: Promise<unknown>
}

const settlesWithin = (work: Promise<unknown>, milliseconds: number): Promise<boolean> => {
  const settled = work.then(
    () => true,
    () => true,
  )
  return Promise.race([settled, delay(milliseconds, false, { ref: false })])
}

/** Where nobody can check. */
const unknown: Check = { heard: (body) => body, found: Promise.resolve({ spf: 'temperror', dkim: ['temperror'] }) }

/** A thread of its own, which is started with the first message and again when it has died. */
export const openSenderChecker = (parts: CheckerParts): SenderChecker => {
  const { wait, logger, program = checkerThread, ...place } = parts
  const space = room(underWay)
  let thread: Thread | undefined
  let last = 0
  const looked = new Set<Worker>()

  const forget = (worker: Worker) => {
    if (thread?.worker === worker) thread = undefined
  }
  const start = (): Thread => {
    const worker = startThread(program, place, mostHeap)
    worker.on('error', (err) => logger.warn({ err }, 'the sender checks have failed and begin anew'))
    worker.on('exit', () => forget(worker))
    const call = callsTo<CheckerMethods>(worker)
    const up = call('alive', undefined).catch(() => undefined)
    return { worker, call, up }
  }
  /** What a stranger wrote may keep a library busy for ever, and a thread that is late by as much again is of no use. */
  const mustBeAlive = async ({ worker, call, up }: Thread, within: number) => {
    if (looked.has(worker)) return
    looked.add(worker)
    const alive = (await settlesWithin(up, longestStart)) && (await settlesWithin(call('alive', undefined), within))
    looked.delete(worker)
    if (alive) return
    logger.warn({}, 'the sender checks are stuck and begin anew')
    forget(worker)
    await worker.terminate()
  }

  const startedOrTold = (): Thread | undefined => {
    try {
      return (thread ??= start())
    } catch (err) {
      logger.warn({ err }, 'the sender checks cannot be started')
      return undefined
    }
  }

  const check: CheckSender = (peer) => {
    const milliseconds = wait() * 1000
    const begun = startedOrTold()
    if (!begun) return unknown
    const running: Thread = begun
    const { call } = running
    const left = allowance(milliseconds)
    const signatures = hearing({ call, id: ++last, room: space, allowance: left, milliseconds })
    const spf = call('spf', { peer, milliseconds }).catch(() => 'temperror' as const)
    const { promise: found, resolve } = Promise.withResolvers<SenderChecks>()

    async function* heard(body: AsyncIterable<Uint8Array>) {
      try {
        for await (const chunk of body) {
          await signatures.take(chunk)
          yield chunk
        }
        await signatures.end()
        const both = Promise.all([spf, signatures.results])
        const results = await left.within(both)
        if (results === undefined) void mustBeAlive(running, milliseconds)
      } finally {
        signatures.drop()
        const known = await Promise.race([spf, Promise.resolve('temperror' as const)])
        resolve({ spf: known, dkim: await signatures.results })
      }
    }
    return { heard, found }
  }

  return {
    check,
    close: async () => {
      await thread?.worker.terminate()
    },
  }
}
