import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { clientSetup, setupAutoconfig, setupText } from '../clientSetup.ts'
import { GatewayError } from '../core/errors.ts'
import { parseTarget } from '../core/target.ts'
import type { AdminApi } from './buildApp.ts'
import { found, Named } from './mailboxRoutes.ts'
import { problems } from './problem.ts'

const Server = (description: string) => Type.String({ minLength: 1, maxLength: 300, description })
const Wanted = Type.Object(
  {
    server: Server("The provider's POP3 server, such as pop.example.net or pop.example.net:995."),
    smtpServer: Type.Optional(Server("The provider's SMTP server; without it the same.")),
    user: Type.Optional(
      Type.String({
        pattern: '^[^\\x00-\\x1f\\x7f]{1,300}$',
        description: 'At the provider; without it, for everybody.',
      }),
    ),
    format: Type.Optional(Type.Union([Type.Literal('json'), Type.Literal('text'), Type.Literal('autoconfig')])),
  },
  { additionalProperties: false },
)
const Account = Type.Object({
  host: Type.String(),
  port: Type.Integer(),
  security: Type.Union([Type.Literal('tls'), Type.Literal('starttls')]),
  userName: Type.String(),
  remote: Type.String(),
})
const answer = {
  description: 'What has to be entered into a mail program.',
  content: {
    'application/json': { schema: Type.Object({ receiving: Account, sending: Account }) },
    'text/plain': { schema: Type.String() },
    'application/xml': { schema: Type.String() },
  },
}

// Fastify's plugins are asynchronous, and types them so.
// eslint-disable-next-line @typescript-eslint/require-await
export const clientSetupRoutes: FastifyPluginAsyncTypebox<AdminApi> = async (app, api) => {
  const summary = 'What a mail program needs to send and receive by way of the gateway'
  const schema = { summary, params: Named, querystring: Wanted, response: { 200: answer, ...problems } }
  app.get('/:id/client-setup', { config: { access: 'read', scoped: true }, schema }, (request, reply) => {
    const { server, smtpServer = server, user, format = 'json' } = request.query
    const mailbox = found(api, request.params.id, request)
    const [pop3, smtp] = [targetIn('server', server), targetIn('smtpServer', smtpServer)]
    api.mailClients.mustReach('pop3', pop3, mailbox)
    api.mailClients.mustReach('smtp', smtp, mailbox)
    const wish = { user, mailbox: mailbox.aliases[0] ?? mailbox.mailboxId, pop3, smtp }
    const setup = clientSetup(api.domain, api.mailClients.listening(), wish)
    if (format === 'text') return reply.type('text/plain; charset=utf-8').send(setupText(setup))
    if (format === 'autoconfig') return reply.type('application/xml; charset=utf-8').send(setupAutoconfig(setup))
    return reply.type('application/json; charset=utf-8').send(setup)
  })
}

const targetIn = (field: string, text: string) => {
  const target = parseTarget(text)
  if (target) return target
  throw new GatewayError('request-invalid', { detail: `${field} must be a server such as pop.example.net:995` })
}
