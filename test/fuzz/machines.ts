import fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { AnyStateMachine, AnyStateNode } from 'xstate'
import { pop3Proxy } from '../../actors/pop3Proxy.ts'
import { pop3Session } from '../../actors/pop3Session.ts'
import { smtpProxy } from '../../actors/smtpProxy.ts'
import { smtpSession } from '../../actors/smtpSession.ts'
import { submissionSession } from '../../actors/submissionSession.ts'
import { transcriptDigest } from '../../src/core/transcriptDigest.ts'
import { judge } from '../../src/replaySession.ts'
import { anySmtpProxy, anySubmission, liveSmtpProxy, liveSubmission } from '../support/anyProxiedSmtp.ts'
import {
  anyPop3Proxy,
  anyPop3Session,
  anySmtpSession,
  type Lived,
  pop3Life,
  pop3ProxyLife,
  smtpLife,
} from '../support/anySession.ts'
import { target } from './target.ts'

type Life = {
  readonly machine: AnyStateMachine
  /** The session that this number stands for: lives are drawn from it, and are no JSON. */
  readonly live: (seed: number) => Promise<Lived> | Lived
}

const drawnBy = <T>(lives: fc.Arbitrary<T>, seed: number): T => {
  const [life] = fc.sample(lives, { seed, numRuns: 1 })
  if (life === undefined) throw new Error('nothing was drawn')
  return life
}

const lives: Readonly<Record<string, Life>> = {
  smtpSession: { machine: smtpSession, live: (seed) => smtpLife(drawnBy(anySmtpSession, seed)) },
  pop3Session: { machine: pop3Session, live: (seed) => pop3Life(drawnBy(anyPop3Session, seed)) },
  pop3Proxy: { machine: pop3Proxy, live: (seed) => pop3ProxyLife(drawnBy(anyPop3Proxy, seed)) },
  smtpProxy: {
    machine: smtpProxy,
    live: (seed) => {
      const [input, opening, events] = drawnBy(anySmtpProxy, seed)
      return liveSmtpProxy(input, [...opening, ...events])
    },
  },
  submissionSession: {
    machine: submissionSession,
    live: (seed) => {
      const [input, opening, events, last] = drawnBy(anySubmission, seed)
      return liveSubmission(input, [...opening, ...events, last])
    },
  },
}

/** Every state in which a machine can stand, as transcripts name it. */
const statesOf = (machine: AnyStateMachine): readonly string[] => {
  const leaves = (node: AnyStateNode): readonly string[] => {
    const below = Object.values(node.states)
    return below.length === 0 ? [node.path.join('.')] : below.flatMap(leaves)
  }
  return leaves(machine.root)
}

type Drawn = { readonly machine: string; readonly seed: number }

/** The machines themselves: whatever peer, shell and works do, in any order, they stay in their states and can be run again. */
export const machines = target<Drawn>(() => {
  const known = new Map(Object.entries(lives).map(([name, { machine }]) => [name, new Set(statesOf(machine))]))
  const reached = new Set<string>()
  return {
    inputs: fc.record({ machine: fc.constantFrom(...Object.keys(lives)), seed: fc.nat(0x7fffffff) }),
    costs: 200,
    reached: () => reached,
    check: async ({ machine, seed }) => {
      const lived = await lives[machine]?.live(seed)
      assert.ok(lived)
      const { sessionId, transcript, outcome } = lived
      const closed = { outcome, octetsIn: 1, octetsOut: 1, transcript, transcriptSha256: transcriptDigest(transcript) }
      const { verdict, because, steps } = judge(sessionId, closed)
      assert.is(verdict, 'consistent', `${because}\n${transcript}`)
      for (const { state } of steps) {
        assert.ok(known.get(machine)?.has(state), `${machine} has no state ${state}`)
        reached.add(`${machine} ${state}`)
      }
    },
  }
})
