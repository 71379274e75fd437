import { Resolver } from 'node:dns/promises'
import { parentPort, workerData } from 'node:worker_threads'
import type { DkimResult } from '../core/events.ts'
import { answerCalls } from '../storage/calls.ts'
import { judgeSignatures, judgeSpf, type Peer, type Resolve, type Signatures } from './judge.ts'

// The checker thread: asks the DNS, and lets a library at what strangers wrote. What that costs, in time or by a defect,
// costs results and no mail.

export type CheckerPlace = {
  /** DNS servers (`address:port`) in place of the system's. */
  readonly servers?: readonly string[]
}

/** Questions to the DNS for one message: ten of SPF with ten addresses each (RFC 7208 §4.6.4), and its signatures' keys. */
const maxQuestions = 120

const failure = (code: string) => Object.assign(new Error(code), { code })

/** No more than so many questions, none after `milliseconds`. */
const bounded = (resolver: Resolver, milliseconds: number): Resolve => {
  const until = performance.now() + milliseconds
  let questions = 0
  return (name, type) => {
    if (performance.now() > until || ++questions > maxQuestions) return Promise.reject(failure('ETIMEOUT'))
    // Lists of texts for the types that are asked for, but MX, whose shape the verifier knows.
    return resolver.resolve(name, type) as ReturnType<Resolve>
  }
}

export const checkerMethods = ({ servers }: CheckerPlace) => {
  const resolver = new Resolver({ timeout: 2000, tries: 2 })
  if (servers) resolver.setServers(servers)
  const messages = new Map<number, Signatures>()
  const drop = (id: number) => {
    messages.get(id)?.drop()
    messages.delete(id)
  }
  return {
    spf: (q: { readonly peer: Peer; readonly milliseconds: number }) =>
      judgeSpf(q.peer, bounded(resolver, q.milliseconds), q.milliseconds),
    /** A piece of a message, in order. Answers with results after the last, or when no more is wanted. */
    dkim: async (q: {
      readonly id: number
      readonly octets: Uint8Array
      readonly last: boolean
      readonly milliseconds: number
    }): Promise<readonly DkimResult[] | undefined> => {
      const message = messages.get(q.id) ?? judgeSignatures(bounded(resolver, q.milliseconds))
      messages.set(q.id, message)
      const early = await message.take(q.octets)
      if (early === undefined && !q.last) return undefined
      messages.delete(q.id)
      return early ?? message.end()
    },
    drop: (q: { readonly id: number }) => drop(q.id),
    alive: () => undefined,
  }
}

export type CheckerMethods = ReturnType<typeof checkerMethods>

if (parentPort) answerCalls(parentPort, () => checkerMethods(workerData as CheckerPlace))
