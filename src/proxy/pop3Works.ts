import { pop3Proxy } from '../../actors/pop3Proxy.ts'
import type { Capable, MessageWork, Taken, TellWork } from '../../actors/pop3ProxySetup.ts'
import type { Proxied, RemoteStatus } from '../../actors/proxied.ts'
import { work } from '../../actors/session.ts'
import type { Archive, Delivery } from '../archive.ts'
import type { Limits, ProxySettings } from '../config.ts'
import { keepChunk } from '../core/chunks.ts'
import { GatewayError } from '../core/errors.ts'
import type { Flight } from '../wire/flight.ts'
import { multiLineReply } from '../wire/multiLine.ts'
import { topCutter, wholeMessage } from '../wire/topCutter.ts'
import { capableOf, passedCapabilities, silentCapable } from './pop3Capabilities.ts'
import { type Copy, openCopy } from './pop3Copy.ts'
import type { Identified, RemoteMessages } from './pop3Message.ts'
import type { Passage } from './pop3Passage.ts'
import type { Pop3Remote } from './pop3Remote.ts'
import type { Pop3Words } from './pop3Words.ts'

/** Octets of a list of capabilities. */
const capabilitiesLimit = 64 * 1024

/** The work of a connection, as its machine invokes it. */
export type Works = {
  hear(): Promise<RemoteStatus>
  /** Rejects with `proxy-unreachable` when the server cannot do TLS just now. */
  tell(of: TellWork): Promise<RemoteStatus>
  inquire(): Promise<Capable>
  upgrade(): Promise<void>
  list(): Promise<void>
  identify(of: MessageWork): Promise<boolean>
  take(of: MessageWork): Promise<Taken>
  hold(): Promise<void>
}

/** RFC 3206 §4: the same may be granted a little later. */
const isTemporary = (statusLine: Buffer) => /^-ERR \[SYS\/TEMP\]/i.test(statusLine.toString('latin1'))

/** The machine with the work of the connection that its input names. Made once: it costs more than a session. */
export const wired = (running: ReadonlyMap<string, Works>): typeof pop3Proxy => {
  const of = ({ session }: { readonly session: string }) => {
    const works = running.get(session)
    if (!works) throw new GatewayError('internal')
    return works
  }
  return pop3Proxy.provide({
    actors: {
      hear: work(({ input }) => of(input).hear()),
      tell: work(({ input }) => of(input).tell(input)),
      inquire: work(({ input }) => of(input).inquire()),
      upgrade: work(({ input }) => of(input).upgrade()),
      list: work(({ input }) => of(input).list()),
      identify: work(({ input }) => of(input).identify(input)),
      take: work(({ input }) => of(input).take(input)),
      hold: work(({ input }) => of(input).hold()),
    },
  })
}

export type WorksParts = {
  readonly shared: {
    readonly archive: Archive
    readonly flight: Flight
    readonly settings: Pick<ProxySettings, 'holdTimeout' | 'bytesInFlight'>
    readonly limits: Pick<Limits, 'messageSize'>
  }
  readonly remote: Pop3Remote
  readonly words: Pop3Words
  readonly messages: RemoteMessages
  readonly deliveryOf: (message: Identified) => Delivery
  readonly passage: () => Passage
}

export const worksOf = ({ shared, remote, words, messages, deliveryOf, passage }: WorksParts): Works => {
  const { archive, flight, settings, limits } = shared
  let message: Identified | undefined
  let copy: Copy | undefined
  let listed: Proxied['verb'] = 'list'
  let least = 0

  /** A server may give fewer lines than it was asked for: what is less than it lists is not the whole message. */
  const leastOf = (number: number, { lines = 0 }: Proxied) =>
    lines > 0 ? messages.sizeOf(number) : Promise.resolve(Infinity)

  /** The reply's content and wire octets, to its end. */
  const readOn = async (limit: number, onPiece: (content: Uint8Array, wire: Buffer) => Promise<void> | void) => {
    const reply = multiLineReply()
    for (let octets = 0; ;) {
      const { content, wire, rest } = reply.push(await remote.chunk())
      for (const piece of wire) octets += piece.length
      if (octets > limit) throw new GatewayError('proxy-lost', { detail: 'The server sends an endless list' })
      await onPiece(Buffer.concat(content), Buffer.concat(wire))
      if (rest === undefined) continue
      remote.giveBack(rest)
      return
    }
  }
  const capabilities = async () => {
    const pieces: Uint8Array[] = []
    await readOn(capabilitiesLimit, (content) => keepChunk(pieces, content))
    return Buffer.concat(pieces).toString('latin1')
  }

  return {
    hear: () => remote.status(),
    tell: async ({ say, asked }) => {
      remote.say(words.line(say, asked))
      const status = await remote.status()
      if (say === 'stls' && status === 'err' && isTemporary(remote.statusLine()))
        throw new GatewayError('proxy-unreachable')
      if (asked.verb === 'uidlOne' && status === 'ok') messages.ids.heard(remote.statusLine())
      listed = asked.verb
      return status
    },
    inquire: async () => {
      remote.say('CAPA')
      const status = await remote.status()
      if (status === 'continue') throw new GatewayError('proxy-lost')
      return status === 'ok' ? capableOf(await capabilities()) : silentCapable
    },
    upgrade: () => remote.secure(),
    list: async () => {
      if (listed === 'capa') return passage().push(Buffer.from(passedCapabilities(await capabilities()), 'latin1'))
      const listen = listed === 'uidl' ? messages.ids.listener() : () => undefined
      await readOn(limits.messageSize, (content, wire) => {
        listen(content)
        return wire.length > 0 ? passage().push(wire) : undefined
      })
    },
    identify: async ({ asked }) => {
      message = await messages.identify(asked.number)
      least = asked.verb === 'top' ? await leastOf(message.number, asked) : 0
      return messages.isRecorded(message)
    },
    take: async ({ asked: { verb, lines } }) => {
      if (!message) throw new GatewayError('internal')
      copy = openCopy({
        archive,
        delivery: deliveryOf(message),
        remote,
        passage: verb === 'dele' ? undefined : passage(),
        cut: verb === 'top' ? topCutter(lines ?? 0) : wholeMessage,
        known: message.known,
        least,
        mostHeld: settings.bytesInFlight,
        flight,
        messageSize: limits.messageSize,
        holdTimeout: settings.holdTimeout,
      })
      const taken = await copy.take()
      if (taken === 'same') messages.same(message)
      return taken
    },
    hold: async () => {
      if (!message || !copy) throw new GatewayError('internal')
      messages.copied(message, (await copy.hold()).content)
    },
  }
}
