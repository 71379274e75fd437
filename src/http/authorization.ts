import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { type Access, allows, type Who } from '../core/access.ts'
import { GatewayError } from '../core/errors.ts'

/** What a route says about who may use it: `config: { access: 'operate', scoped: true }`. */
export type RouteAccess = {
  readonly access: Access
  /** Whether the route keeps to the scope of who asks (by `found` and `known`); others refuse who has one. */
  readonly scoped?: true
}

declare module 'fastify' {
  // Declarations of a library's types can only be completed as interfaces.
  /* eslint-disable @typescript-eslint/consistent-type-definitions */
  interface FastifyContextConfig {
    access?: Access
    scoped?: true
  }
  interface FastifyRequest {
    /** Set for every route that is not public. */
    who?: Who
    /** Whether who asks might ask the same now, which is no request of his. Rejects with a storage failure. */
    stillMay?: () => Promise<boolean>
  }
  interface FastifyInstance {
    /** Every route, `GET /v1/mailboxes/:id`, and what it says of itself. */
    declared: Map<string, RouteAccess>
  }
  /* eslint-enable */
}

/** A route that does not say who may use it ends the start. */
export const requireDeclarations = (app: FastifyInstance): void => {
  const declared = new Map<string, RouteAccess>()
  app.decorate('declared', declared)
  app.addHook('onRoute', ({ method, url, config }: RouteOptions) => {
    for (const one of [method].flat()) {
      const access = config?.access
      if (access === undefined) throw new Error(`${one} ${url} does not declare its access`)
      declared.set(`${one} ${url}`, { access, ...(config?.scoped && { scoped: true }) })
    }
  })
}

/** Why somebody may not use a route; undefined when he may. A path that does not exist needs no more than to be somebody. */
export const refusalOf = ({ access = 'self', scoped }: Partial<RouteAccess>, who: Who): GatewayError | undefined => {
  if (who.mustChangePassword && access !== 'self') return new GatewayError('password-must-change')
  if (!allows(access, who.role)) return new GatewayError('role-insufficient')
  if (who.scope && !scoped && access !== 'self') return new GatewayError('scope-insufficient')
  return undefined
}

/** Who asks. Throws for a route that is public: it must not want to know. */
export const whoOf = ({ who }: FastifyRequest): Who => {
  if (who) return who
  throw new GatewayError('internal', { cause: 'a public route asks who it is' })
}
