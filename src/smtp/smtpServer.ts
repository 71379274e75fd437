import { work } from '../../actors/session.ts'
import { smtpSession } from '../../actors/smtpSession.ts'
import type { ReceiveInput } from '../../actors/smtpSetup.ts'
import { GatewayError } from '../core/errors.ts'
import type { MessageId, SenderId, SessionId } from '../core/ids.ts'
import { JournalConnection } from './connection.ts'
import { type ListenParts, listenSmtp, type Smtp } from './listen.ts'
import type { SmtpShared } from './shared.ts'

export type SmtpDeps = Omit<SmtpShared, 'machine' | 'running' | 'open'> &
  Pick<ListenParts, 'listeners' | 'loadBalancers' | 'tls' | 'clientAuthorities'>

/** Starts the listeners for journal senders, all or none. Rejects with `start-refused`, which says why. */
export const startSmtp = async (given: SmtpDeps): Promise<Smtp> => {
  const { listeners, loadBalancers, tls, clientAuthorities, ...deps } = given
  const running = new Map<SessionId, JournalConnection>()
  const receiving = new Set<Promise<unknown>>()
  const machine = smtpSession.provide({
    actors: {
      authenticate: work<{ readonly sender: SenderId }, { readonly sessionId: SessionId }>(({ input }) => {
        const asked = running.get(input.sessionId)?.authenticate()
        if (asked === undefined) throw new GatewayError('internal')
        return asked
      }),
      receive: work<{ readonly messageId: MessageId }, ReceiveInput>(({ input, signal }) => {
        const received = running.get(input.sessionId)?.receive(input, signal)
        if (received === undefined) throw new GatewayError('internal')
        const settled = () => receiving.delete(received)
        receiving.add(received)
        received.then(settled, settled)
        return received
      }),
    },
  })
  const shared: SmtpShared = { ...deps, machine, running, open: new Set() }
  return listenSmtp({
    listeners,
    loadBalancers,
    tls,
    ...(clientAuthorities && { clientAuthorities }),
    shared,
    connection: (server, socket, accepted) => new JournalConnection(server, socket, shared, accepted),
    working: receiving,
  })
}
