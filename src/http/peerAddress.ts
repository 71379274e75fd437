import type { FastifyInstance, FastifyRequest } from 'fastify'

declare module 'fastify' {
  // Declarations of a library's types can only be completed as interfaces.
  // eslint-disable-next-line @typescript-eslint/consistent-type-definitions
  interface FastifyRequest {
    peerAddress?: string
  }
}

/** Stands for every peer that has gone before it could be asked. */
const unknown = 'unknown'

/** Before every other hook: a socket whose peer has gone does not know its address any more. */
export const notePeerAddresses = (app: FastifyInstance): void => {
  // The framework does not say that it may be undefined.
  const addressOfSocket = (request: FastifyRequest) => request.ip as string | undefined
  app.addHook('onRequest', (request, _, done) => {
    request.peerAddress = addressOfSocket(request) ?? unknown
    done()
  })
}

/** The IP address from which a request came, as the socket has it; `unknown` for a peer that left before it was asked for. */
export const peerAddressOf = ({ peerAddress }: FastifyRequest): string => peerAddress ?? unknown
