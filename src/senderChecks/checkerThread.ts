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

/** Octets of lines without their ends, of all messages: the verifier holds them once for each signature. */
const mostUnended = 8 * 1024 * 1024
/** A line that is no longer than this is let grow whatever the others are. */
const everydayLine = 4 * 1024

/** A message that comes in, and the octets of its last line as long as that has not ended. */
type Heard = { readonly signatures: Signatures; unended: number }

const unendedBehind = (before: number, octets: Uint8Array): number => {
  const end = octets.lastIndexOf(0x0a)
  return end < 0 ? before + octets.length : octets.length - end - 1
}

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
  const messages = new Map<number, Heard>()
  let unended = 0
  const forget = (id: number): Signatures | undefined => {
    const heard = messages.get(id)
    unended -= heard?.unended ?? 0
    messages.delete(id)
    return heard?.signatures
  }
  const grow = (heard: Heard, octets: Uint8Array) => {
    unended -= heard.unended
    heard.unended = unendedBehind(heard.unended, octets)
    unended += heard.unended
    return unended <= mostUnended || heard.unended <= everydayLine
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
      const heard = messages.get(q.id) ?? { signatures: judgeSignatures(bounded(resolver, q.milliseconds)), unended: 0 }
      messages.set(q.id, heard)
      if (!grow(heard, q.octets)) {
        forget(q.id)?.drop()
        return ['temperror']
      }
      const early = await heard.signatures.take(q.octets)
      if (early === undefined && !q.last) return undefined
      forget(q.id)
      return early ?? heard.signatures.end()
    },
    drop: (q: { readonly id: number }) => forget(q.id)?.drop(),
    alive: () => undefined,
  }
}

export type CheckerMethods = ReturnType<typeof checkerMethods>

if (parentPort) answerCalls(parentPort, () => checkerMethods(workerData as CheckerPlace))
