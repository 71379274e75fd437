import type { Extensions } from '../../actors/proxiedSmtp.ts'
import type { SmtpProxyEvent } from '../../actors/smtpProxySetup.ts'
import { type MessageId, newMessageId } from '../core/ids.ts'
import type { RelayAnswer } from '../relays.ts'
import type { RecordedSession } from '../sessions.ts'
import type { ProxiedMailbox } from './connect.ts'
import type { Shared, SmtpClient } from './smtpProxy.ts'
import { openSending, type Sending } from './smtpSending.ts'

export type MessagesParts = {
  readonly shared: Pick<Shared, 'archive' | 'flight' | 'relays' | 'limits' | 'work'>
  readonly client: SmtpClient
  readonly mailbox: ProxiedMailbox
  /** `name:port`. */
  readonly target: string
  /** The proxy connection; defined once the remote server has taken the login. */
  readonly recorded: () => RecordedSession | undefined
  /** To the remote server; whether more may follow at once. */
  readonly write: (octets: Uint8Array) => boolean
  readonly send: (event: SmtpProxyEvent) => void
}

/** The messages of one proxy connection, one after the other. */
export type ClientsMessages = {
  begin(extensions: Extensions): void
  take(pieces: readonly Uint8Array[]): boolean
  /** The remote server takes more again. */
  serverRoom(): void
  isFlood(): boolean
  /** The client has sent all of it. */
  end(): void
  /** Ends it at the remote server. */
  release(): void
  /** Records the remote server's answer, and then tells the machine that it is `settled`. */
  settle(answer: RelayAnswer): void
  /** Nobody is sent the message: a copy that is, or becomes, durable all the same is recorded as refused. */
  withdraw(code: number): void
}

export const clientsMessages = (parts: MessagesParts): ClientsMessages => {
  const { shared, client, mailbox, target, recorded, write, send } = parts
  const { mailboxId, recipient, generation } = mailbox
  const { sessionId, remoteAddress } = client
  let sending: Sending | undefined

  const record = (messageId: MessageId, answer: RelayAnswer) => {
    const principal = `peer:${remoteAddress}` as const
    const cause = { principal, correlationId: sessionId, causationId: recorded()?.cause() ?? sessionId }
    const done = shared.relays.record({ messageId, mailboxId, answer, cause })
    shared.work(done)
    return done
  }
  const deliveryOf = (messageId: MessageId, connected: RecordedSession) => {
    const peer = { sessionId, remoteAddress, cause: connected.cause(), tls: client.tls() }
    const trace = client.trace(messageId)
    return { messageId, mailboxId, recipient, generation, source: 'smtp-proxy', ...peer, trace, target } as const
  }
  return {
    begin: (extensions) => {
      const connected = recorded()
      if (!connected) return
      const messageId = newMessageId()
      sending = openSending({
        archive: shared.archive,
        flight: shared.flight,
        delivery: deliveryOf(messageId, connected),
        limit: mostOf(shared.limits.messageSize, extensions),
        write,
        onRoom: () => client.room(),
      })
      shared.work(sending.mayBeKept)
      sending.durable.then(
        () => send({ type: 'durable', messageId }),
        (error: unknown) => send({ type: 'unsealed', error }),
      )
    },
    take: (pieces) => sending?.take(pieces) ?? true,
    serverRoom: () => sending?.serverRoom(),
    isFlood: () => sending?.isFlood() ?? false,
    end: () => sending?.end(),
    release: () => sending?.release(),
    settle: (answer) => {
      if (sending) void record(sending.messageId, answer).then(() => send({ type: 'settled' }))
    },
    withdraw: (code) => {
      const withdrawn = sending
      if (!withdrawn) return
      withdrawn.abandon()
      // What the client still sends goes nowhere, and need not wait for the remote server.
      client.room()
      const recordedAs = (kept: boolean) => (kept ? record(withdrawn.messageId, { is: 'refused', code }) : undefined)
      shared.work(withdrawn.mayBeKept.then(recordedAs))
    },
  }
}

/** RFC 1870 §4: 0 says that there is no fixed limit. */
const mostOf = (own: number, { size }: Extensions) => (size === undefined || size === 0 ? own : Math.min(own, size))
