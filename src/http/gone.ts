import type { FastifyReply } from 'fastify'
import { GatewayError } from '../core/errors.ts'

/** Aborts when the client goes away before it has its whole answer. To be called before anything is waited for. */
export const goneWith = ({ raw }: FastifyReply): AbortSignal => {
  const gone = new AbortController()
  const leave = () => {
    if (!raw.writableFinished) gone.abort(new GatewayError('connection-lost'))
  }
  if (raw.destroyed) leave()
  else raw.once('close', leave)
  return gone.signal
}
