import { GatewayError } from '../core/errors.ts'
import type { MailboxId } from '../core/ids.ts'
import type { Fingerprints } from './fingerprint.ts'
import type { Known } from './pop3Copy.ts'
import type { Pop3Remote } from './pop3Remote.ts'
import { uniqueIds } from './pop3UniqueIds.ts'

/** A message recorded before. */
export type RecordedContent = { readonly content: string }

export type MessagesParts = {
  readonly remote: Pop3Remote
  readonly fingerprints: Fingerprints
  readonly mailboxId: MailboxId
  readonly server: string
  readonly user: string
  /** Resolves, after some time in any case, when `recorded` knows what earlier sessions have recorded. */
  readonly caughtUp: () => Promise<void>
  /** The newest message with this origin. */
  readonly recorded: (mailboxId: MailboxId, origin: string) => RecordedContent | undefined
}

/** A remote message, as far as it can be known before it is read. */
export type Identified = {
  readonly number: number
  /** Undefined where the server gives no unique ids. */
  readonly origin: string | undefined
  readonly known: Known | undefined
}

/** The messages of one remote maildrop, and which of them are recorded. */
export type RemoteMessages = {
  /** Asks for the unique id where it has not been heard. Rejects as the remote does. */
  identify(number: number | undefined): Promise<Identified>
  /** A copy is durable; `content` is the digest of its octets, if it has one. */
  copied(message: Identified, content: string | undefined): void
  /** Octets of a message as the server lists it; more than it can have when it does not say. Rejects as the remote does. */
  sizeOf(number: number): Promise<number>
  /** What the server has was found to be what is recorded. */
  same(message: Identified): void
  /**
   * Whether what the server has under this number was seen on this connection and is recorded. Its unique id alone does not say
   * so: once a message is deleted, a server may give its id to another one (RFC 1939 §7).
   */
  isRecorded(message: Identified): boolean
  readonly ids: ReturnType<typeof uniqueIds>
}

export const remoteMessages = (parts: MessagesParts): RemoteMessages => {
  const { remote, fingerprints, mailboxId, server, user, caughtUp, recorded } = parts
  const ids = uniqueIds()
  let ready: Promise<void> | undefined
  // The views may be behind; and not every server gives unique ids.
  const copied = new Map<number, string | undefined>()
  const same = new Set<number>()

  const idOf = async (number: number) => {
    const heard = ids.of(number)
    if (heard !== undefined) return heard
    remote.say(`UIDL ${number}`)
    if ((await remote.status()) === 'ok') ids.heard(remote.statusLine())
    return ids.of(number)
  }
  return {
    ids,
    sizeOf: async (number) => {
      remote.say(`LIST ${number}`)
      if ((await remote.status()) !== 'ok') return Infinity
      const [, octets] = /^\+OK +\d+ +(\d{1,15})/i.exec(remote.statusLine().toString('latin1')) ?? []
      return octets === undefined ? Infinity : Number(octets)
    },
    identify: async (number) => {
      if (number === undefined) throw new GatewayError('internal')
      const uidl = await idOf(number)
      if (uidl === undefined) return { number, origin: undefined, known: undefined }
      const origin = fingerprints.originOf({ mailboxId, server, user, uidl })
      await (ready ??= caughtUp())
      const content = copied.get(number) ?? recorded(mailboxId, origin)?.content
      return { number, origin, known: content === undefined ? undefined : { content, coming: fingerprints.content() } }
    },
    copied: ({ number }, content) => void copied.set(number, content),
    same: ({ number }) => void same.add(number),
    isRecorded: ({ number }) => copied.has(number) || same.has(number),
  }
}
