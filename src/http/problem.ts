import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { answerTo, asGatewayError, type ErrorCode, GatewayError } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'

export const problemType = 'application/problem+json'

/** Problem details, RFC 9457. `type` is `about:blank`, so `title` is the status' own; `code` says what it is. */
export const Problem = Type.Object(
  {
    type: Type.Literal('about:blank'),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String(),
    code: Type.String({ description: 'Stable: programs decide by it.' }),
    retry: Type.Boolean({ description: 'Whether the same request may succeed later.' }),
  },
  { $id: 'Problem', title: 'Problem', additionalProperties: false },
)

const response = (description: string) => ({ description, content: { [problemType]: { schema: Type.Ref('Problem') } } })

/** What every route may answer besides its success. */
export const problems = {
  '4xx': response('The request cannot be done; `code` says why.'),
  '5xx': response('The gateway could not do it; `retry` says whether it may later.'),
}

export const sendProblem = (reply: FastifyReply, error: GatewayError, status = answerTo(error.code).http) =>
  reply.code(status).headers(retryHeaders(error, status)).type(problemType).send(problemOf(error, status))

/** Seconds after which what is away may be there again. */
const retryAfter = 5
/** RFC 9110 §10.2.3. */
const retryHeaders = ({ code }: GatewayError, status: number) =>
  status === 503 && answerTo(code).retry ? { 'retry-after': String(retryAfter) } : {}

export const problemOf = ({ code, message }: GatewayError, status: number = answerTo(code).http) => ({
  type: 'about:blank' as const,
  title: STATUS_CODES[status] ?? 'Error',
  status,
  detail: message,
  code,
  retry: answerTo(code).retry,
})

/** The framework's own refusals keep their status where it is one of 4xx. */
const refusedByFramework = (error: FastifyError): readonly [GatewayError, number] | undefined => {
  if (error.validation !== undefined) return [invalid(error.message, error), 400]
  const status = error.statusCode
  if (status === undefined || status < 400 || status > 499) return undefined
  return [
    invalid(error.code === 'FST_ERR_CTP_INVALID_JSON_BODY' ? 'The body is not JSON' : error.message, error),
    status,
  ]
}

const invalid = (detail: string, cause: unknown) => new GatewayError('request-invalid', { detail, cause })

/** Every failure becomes a problem document; the log sees those that are the gateway's own. */
export const answerProblems = (app: FastifyInstance, logger: Logger): void => {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const [known, status] = (error instanceof GatewayError ? undefined : refusedByFramework(error)) ?? [
      asGatewayError(error),
    ]
    note(known.code, status ?? answerTo(known.code).http, error, request, logger)
    return sendProblem(reply, known, status)
  })
  app.setNotFoundHandler((_, reply) =>
    sendProblem(reply, new GatewayError('request-invalid', { detail: 'There is no such resource' }), 404),
  )
}

const note = (code: ErrorCode, status: number, err: unknown, request: FastifyRequest, logger: Logger) => {
  if (status >= 500)
    logger.error({ err, code, requestId: request.id, route: request.routeOptions.url }, 'Request failed')
}
