import type { Pop3Event } from '../../actors/pop3Replies.ts'
import type { Relayed } from '../../actors/pop3Setup.ts'
import type { Proxied, RemoteStatus } from '../../actors/proxied.ts'
import { GatewayError } from '../core/errors.ts'
import type { SessionOutcome } from '../core/events.ts'
import type { Pop3Proxies, Pop3Proxy, ProxyClient } from '../proxy/pop3Proxy.ts'
import { type ProxyCredentials, responseOf } from '../proxy/sasl.ts'
import type { CommandQueue } from './commandQueue.ts'
import { proxiedEventOf } from './proxiedEvents.ts'

/** A session's work at another server. */
export type Elsewhere = {
  connect(credentials: ProxyCredentials): Promise<RemoteStatus>
  /** What the client has sent next, as the machine takes it; undefined while there is nothing. */
  next(queue: CommandQueue, isResponse: boolean): Pop3Event | undefined
  answer(): Promise<RemoteStatus>
  relay(asked: Proxied): Promise<Relayed>
  pass(): void
  passOn(): Promise<void>
  end(): void
  /** The session is over. */
  close(outcome: SessionOutcome): void
}

export const openElsewhere = (proxies: Pop3Proxies | undefined, client: ProxyClient): Elsewhere => {
  const leaving = new AbortController()
  const { signal } = leaving
  let current: Pop3Proxy | undefined
  let line: Buffer = Buffer.alloc(0)

  const proxy = () => {
    if (!current) throw new GatewayError('internal')
    return current
  }
  return {
    connect: async (credentials) => {
      current = await proxies?.open(client, credentials, signal)
      if (signal.aborted) current?.close('lost')
      return proxy().login()
    },
    next: (queue, isResponse) => {
      const heard = isResponse ? queue.response() : queue.line()
      if (heard === 'too-long') return { type: 'oversized' }
      if (heard === undefined) return undefined
      line = isResponse ? Buffer.from(responseOf(heard)) : heard
      return isResponse ? { type: 'response', found: 'given' } : proxiedEventOf(heard)
    },
    answer: () => proxy().answer(line),
    relay: (asked) => proxy().relay(asked, line),
    pass: () => proxy().pass(),
    passOn: () => proxy().passOn(),
    end: () => proxy().end(),
    close: (outcome) => {
      leaving.abort()
      current?.close(outcome)
    },
  }
}
