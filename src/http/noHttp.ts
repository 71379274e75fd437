import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { GatewayError } from '../core/errors.ts'
import { problemOf, problemType } from './problem.ts'

/** How Node's HTTP server calls what it cannot take, where that is not a 400. */
const statuses: Readonly<Record<string, number>> = { HPE_HEADER_OVERFLOW: 431, ERR_HTTP_REQUEST_TIMEOUT: 408 }

/** Milliseconds that the other side has to take the answer. */
const lingering = 1000

/** Answers what never becomes a request with a problem document too, and ends the connection. */
export const answerNoHttp = (error: Error & { readonly code: string }, socket: Socket): void => {
  if (!socket.writable) {
    socket.destroy(error)
    return
  }
  const status = statuses[error.code] ?? 400
  const detail = status === 408 ? 'The request did not arrive in time' : 'That is no HTTP request, or too long a one'
  const body = JSON.stringify(problemOf(new GatewayError('request-invalid', { detail }), status))
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${problemType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  // What is still coming is read and dropped: to reset the connection now could take the answer away.
  socket.resume()
  setTimeout(() => socket.destroy(), lingering).unref()
}
