// Whether the gateway of this container answers; plain JavaScript, so that it starts quickly.
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'

const data = process.env.SEALPOST_GATEWAY_DATA ?? 'data'
try {
  const url = new URL('/healthz', readFileSync(join(data, 'admin.url'), 'utf8').trim())
  // Nothing secret is sent, and whoever could answer here in its place runs in this container.
  request(url, { rejectUnauthorized: false, timeout: 4000 }, ({ statusCode }) =>
    process.exit(statusCode === 200 ? 0 : 1),
  )
    .on('error', () => process.exit(1))
    .on('timeout', () => process.exit(1))
    .end()
} catch {
  process.exit(1)
}
