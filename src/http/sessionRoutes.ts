import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Static, Type } from 'typebox'
import type { Administrator } from '../access/administrators.ts'
import { GatewayError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import { causeOf } from './authentication.ts'
import { whoOf } from './authorization.ts'
import type { AdminApi } from './buildApp.ts'
import { isCrossSite } from './crossSite.ts'
import { peerAddressOf } from './peerAddress.ts'
import { problems, sendProblem } from './problem.ts'
import { clearCookie, cookieOf, setCookie } from './sessionCookie.ts'

const closed = { additionalProperties: false }
const Password = Type.String({ minLength: 1, maxLength: 1024 })
const Login = Type.Object({ name: Type.String({ minLength: 1, maxLength: 200 }), password: Password }, closed)
const Change = Type.Object(
  {
    oldPassword: Password,
    newPassword: Type.String({ minLength: 1, maxLength: 1024, description: '12 characters or more.' }),
  },
  closed,
)
export const RoleName = Type.Union([Type.Literal('admin'), Type.Literal('operator'), Type.Literal('auditor')])
const Session = Type.Object({
  principal: Type.String({ description: 'As the log names who asks.' }),
  role: RoleName,
  mailboxes: Type.Union([Type.Array(Type.String()), Type.Null()], {
    description: 'The only ones that a token may know of; null: all.',
  }),
  passwordMustChange: Type.Boolean({ description: 'Until then everything else is answered with 403.' }),
})
const cookie = { 'Set-Cookie': { description: 'The session.', schema: { type: 'string' } } }
const done = Type.Null({ description: 'Done' })

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const sessionRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, { access, refused }) => {
  const login = {
    summary: 'Log in with name and password',
    description:
      'For browsers: the answer sets a cookie, which a change needs to come from the same site. Programs use a token.',
    security: [],
    body: Login,
    response: { 201: { ...Session, headers: cookie }, ...problems },
  }
  app.post('', { config: { access: 'public' }, schema: login }, async (request, reply) => {
    if (isCrossSite(request, false)) return crossSite(request, reply)
    const { name, password } = request.body
    const administrator = await access.login({ name, password: new Secret(password), source: peerAddressOf(request) })
    const before = cookieOf(request)
    if (before !== undefined) access.sessions.close(before)
    return reply
      .code(201)
      .header('set-cookie', setCookie(access.sessions.open(administrator)))
      .send(shown(administrator))
  })
  const crossSite = (request: FastifyRequest, reply: FastifyReply) => {
    refused(peerAddressOf(request), 'cross-site')
    return sendProblem(reply, new GatewayError('cross-site'))
  }

  const show = { summary: 'Who one is', response: { 200: Session, ...problems } }
  app.get('', { config: { access: 'self' }, schema: show }, (request) => {
    const { principal, role, scope, mustChangePassword } = whoOf(request)
    return { principal, role, mailboxes: scope ? [...scope] : null, passwordMustChange: mustChangePassword }
  })

  const logout = { summary: 'Log out', response: { 204: { ...done, headers: cookie }, ...problems } }
  app.delete('', { config: { access: 'self' }, schema: logout }, (request, reply) => {
    const value = cookieOf(request)
    if (value !== undefined) access.sessions.close(value)
    return reply.code(204).header('set-cookie', clearCookie).send(null)
  })

  const change = {
    summary: "Change one's own password; one's other sessions end",
    body: Change,
    response: { 204: done, ...problems },
  }
  app.put('/password', { config: { access: 'self' }, schema: change }, async (request, reply) => {
    const { principal } = whoOf(request)
    const value = cookieOf(request)
    const name = /^administrator:(.+)$/.exec(principal)?.[1]
    if (name === undefined || value === undefined) throw noPassword()
    const { oldPassword, newPassword } = request.body
    const today = await access.login({ name, password: new Secret(oldPassword), source: peerAddressOf(request) })
    const changed = await access.administrators.change(today, new Secret(newPassword), causeOf(request))
    access.sessions.renew(value, changed)
    return reply.code(204).send(null)
  })
}

const noPassword = () =>
  new GatewayError('request-invalid', { detail: 'Only an administrator who has logged in by name has a password' })

const shown = ({ name, role, oneTimeUntil }: Administrator): Static<typeof Session> => ({
  principal: `administrator:${name}`,
  role,
  mailboxes: null,
  passwordMustChange: oneTimeUntil !== undefined,
})
