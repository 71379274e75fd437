import type { SessionId } from '../core/ids.ts'
import { type ListenParts, listenSmtp, type Smtp } from './listen.ts'
import { SubmissionConnection, type SubmissionShared } from './submissionConnection.ts'

export type SubmissionDeps = Omit<SubmissionShared, 'running' | 'open'> &
  Pick<ListenParts, 'listeners' | 'loadBalancers' | 'tls'>

/** Starts the listeners for mail clients, all or none. Rejects with `start-refused`, which says why. */
export const startSubmission = async ({ listeners, loadBalancers, tls, ...deps }: SubmissionDeps): Promise<Smtp> => {
  const running = new Map<SessionId, SubmissionConnection>()
  const shared: SubmissionShared = { ...deps, running, open: new Set() }
  const { close, ...smtp } = await listenSmtp({
    listeners,
    loadBalancers,
    tls,
    shared,
    connection: (server, socket, accepted) => new SubmissionConnection(server, socket, shared, accepted),
    working: new Set(),
  })
  return {
    ...smtp,
    close: async (graceMs) => {
      await close(graceMs)
      await deps.proxies.close()
    },
  }
}
