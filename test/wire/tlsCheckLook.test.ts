import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createSecureContext, createServer } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { issue } from '../../src/tls/issue.ts'
import { look } from '../../src/tlsCheck/look.ts'

const test = suite('what tls check prints')

test('nothing in a server’s certificate steers the terminal that shows it', async () => {
  const [now, day] = [Date.now(), 86_400_000]
  const names = ['a\u009b2J\u202eb\u001b[0m\nc', 'mail.example']
  const pair = await issue({ names, notBefore: new Date(now - day), notAfter: new Date(now + day) })
  const server = createServer(pair, (socket) => socket.on('error', () => socket.destroy())).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const place = { host: '127.0.0.1', port, name: 'mail.example', startTls: undefined }
  const seen = await look(place, createSecureContext())
  server.close()
  assert.ok(seen.names.includes('mail.example'), seen.names.join())
  assert.match(seen.chain[0]?.subject ?? '', /^CN=a.*2J.b.*c$/)
  const printed = [...seen.names, ...seen.chain.flatMap(({ subject, issuer }) => [subject, issuer])]
  assert.not.match(printed.join(), /\p{C}/v)
})

test.run()
