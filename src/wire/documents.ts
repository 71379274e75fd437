import { createServer as createHttpServer, type RequestListener, type ServerOptions } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { cannotListen } from './listen.ts'
import type { ServedPair } from './serveTls.ts'
import { oneHandshake } from './oneHandshake.ts'
import { strictTransport } from './strictTransport.ts'
import { strongTls } from './strongTls.ts'

export type DocumentParts = {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  /** Without it they are served in clear. */
  readonly tls?: () => ServedPair
  /** The text of a path, which a peer has typed; undefined when there is none. */
  readonly find: (path: string) => string | undefined | Promise<string | undefined>
}

export type Documents = {
  readonly host: string
  readonly port: number
  /** New connections get what `tls` gives now. */
  renew(): void
  /** Cuts the connections that are open: an answer is one packet. */
  close(): Promise<void>
}

/** Connections at once: who asks is a sender or an authority, and has its answer at once. */
const maxConnections = 200
/** Milliseconds for a handshake, and for a request. */
const patience = 10_000
const longestHeader = 8 * 1024

/** Serves a few short texts over HTTP or HTTPS, to GET and HEAD, one to a connection. Rejects with `start-refused`. */
export const serveDocuments = async ({ host, port, tls, find }: DocumentParts): Promise<Documents> => {
  const answer: RequestListener = (request, response) => {
    const say = (status: number, text: string) => {
      response.writeHead(status, { ...headers, ...(tls && strictTransport), 'content-length': Buffer.byteLength(text) })
      response.end(request.method === 'HEAD' ? undefined : text)
    }
    const path = request.url?.split('?')[0] ?? ''
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      say(405, '')
      return
    }
    Promise.try(find, path).then(
      (text) => say(text === undefined ? 404 : 200, text ?? ''),
      () => say(503, ''),
    )
  }
  const secure = tls && createHttpsServer({ ...bounds, ...strongTls, ...tls(), handshakeTimeout: patience }, answer) // prettier-ignore
  secure?.on('secureConnection', oneHandshake)
  const server = secure ?? createHttpServer(bounds, answer)
  server.maxConnections = maxConnections
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(cannotListen(host, port, cause)))
    server.listen(port, host, resolve)
  })
  const bound = server.address() as AddressInfo // a TCP listener's address is never a string
  return {
    host: bound.address,
    port: bound.port,
    renew: () => {
      if (tls) secure?.setSecureContext({ ...strongTls, ...tls() })
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const headers = {
  'content-type': 'text/plain',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  connection: 'close',
}

const bounds: ServerOptions = {
  headersTimeout: patience,
  requestTimeout: patience,
  connectionsCheckingInterval: patience / 2,
  maxHeaderSize: longestHeader,
}
