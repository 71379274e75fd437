import type { Hmac } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Taken } from '../../actors/pop3ProxySetup.ts'
import type { Archive, Delivery, Receipt } from '../archive.ts'
import { asGatewayError, GatewayError } from '../core/errors.ts'
import { openBody } from '../wire/body.ts'
import type { Flight } from '../wire/flight.ts'
import { multiLineReply } from '../wire/multiLine.ts'
import type { Cutter } from '../wire/topCutter.ts'
import type { Passage } from './pop3Passage.ts'
import type { Pop3Remote } from './pop3Remote.ts'

/** A message that is recorded already: the keyed digest of its octets, and one that is fed with those that come now. */
export type Known = { readonly content: string; readonly coming: Hmac }

export type CopyParts = {
  readonly archive: Archive
  readonly delivery: Delivery
  readonly remote: Pop3Remote
  /** The client's reply; undefined when the client is not to see it. */
  readonly passage: Passage | undefined
  /** What of the reply is the client's. */
  readonly cut: Cutter
  readonly known: Known | undefined
  /** Octets without which it is not the whole message. */
  readonly least: number
  /** Octets up to which a message is held in memory until it is known whether it is to be sealed. */
  readonly mostHeld: number
  readonly flight: Flight
  /** Octets of one message. */
  readonly messageSize: number
  /** Seconds for the copy to become durable once the message has come to its end. */
  readonly holdTimeout: number
}

/** A message on its way from the remote server to the client and into the archive. */
export type Copy = {
  /**
   * Reads the reply to its end. Rejects with `proxy-lost` or `message-too-large`, or as `Archive.receive` when the client has seen
   * octets of a message that will not be recorded: then the reply has not been read to its end.
   */
  take(): Promise<Taken>
  /** Resolves when the copy of a message that was taken whole is durable. */
  hold(): Promise<Receipt>
}

/** With which the archive throws away what it has sealed. */
const unneeded = new GatewayError('connection-lost')

export const openCopy = (parts: CopyParts): Copy => {
  const { archive, delivery, known, passage, mostHeld, flight } = parts
  const reply = contentOf(parts)
  let sealing: Promise<Receipt> = Promise.reject(new GatewayError('internal'))
  sealing.catch(() => undefined)
  let wake = () => {}
  const body = openBody(() => wake(), flight)
  const seal = () => {
    sealing = archive.receive(delivery, body)
    sealing.catch(() => body.discard())
  }
  const verdict = (): Taken => {
    if (reply.wasCut()) return 'partial'
    if (known && known.coming.digest('hex') === known.content) return 'same'
    return reply.octets() < parts.least ? 'partial' : 'whole'
  }
  const end = (): Taken => {
    const taken = verdict()
    if (taken === 'whole') body.end()
    else body.refuse(unneeded)
    return taken
  }

  /** As it comes, ahead of the sealing. A message whose sealing has failed may turn out to be recorded already. */
  const takeOn = (): Promise<Taken> => {
    const feedAll = async () => {
      for (let next = await reply.next(); next; next = await reply.next())
        if (!body.push(next)) await new Promise<void>((resolve) => (wake = resolve))
      return end()
    }
    const unrecorded = Promise.withResolvers<never>()
    unrecorded.promise.catch(() => undefined)
    seal()
    sealing.catch((error: unknown) => {
      if (passage && !known) unrecorded.reject(error)
    })
    return Promise.race([feedAll(), unrecorded.promise])
  }
  const take = async (): Promise<Taken> => {
    // What is held may turn out to be recorded already. Clients that read no further make it stay: so half of the memory is left to others.
    for (let octets = 0; octets <= mostHeld && !flight.isHalfFull();) {
      const next = await reply.next()
      if (!next) {
        const taken = end()
        if (taken === 'whole') seal()
        return taken
      }
      octets += next.length
      body.push(next)
    }
    return takeOn()
  }

  return {
    take: () =>
      take().catch((error: unknown) => {
        body.refuse(asGatewayError(error))
        throw error
      }),
    hold: async () => {
      const enough = new AbortController()
      const late = delay(parts.holdTimeout * 1000, undefined, { signal: enough.signal }).then((): never => {
        throw new GatewayError('outcome-unknown')
      })
      try {
        return await Promise.race([sealing, late])
      } finally {
        enough.abort()
      }
    },
  }
}

/** The content of the reply, piece by piece, while the client's part of it is passed on. */
const contentOf = ({ remote, passage, cut, known, messageSize }: CopyParts) => {
  const reply = multiLineReply()
  const pieces: Uint8Array[] = []
  let [cutAway, octets, ended] = [0, 0, false]

  const pass = async (wire: readonly Buffer[]) => {
    for (const piece of wire) {
      const passed = cut(piece)
      cutAway += piece.length - passed.length
      if (passage && passed.length > 0) await passage.push(passed)
    }
  }
  const read = async () => {
    const { wire, content, rest } = reply.push(await remote.chunk())
    for (const piece of content) {
      known?.coming.update(piece)
      octets += piece.length
    }
    if (octets > messageSize) throw new GatewayError('message-too-large')
    await pass(wire)
    pieces.push(...content)
    if (rest === undefined) return
    ended = true
    remote.giveBack(rest)
  }
  return {
    /** Undefined at the end. */
    next: async (): Promise<Uint8Array | undefined> => {
      while (pieces.length === 0 && !ended) await read()
      return pieces.shift()
    },
    wasCut: () => cutAway > 0,
    octets: () => octets,
  }
}
