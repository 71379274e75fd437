import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { beforeTls, type TlsPort } from '../support/beforeTls.ts'
import { peerTest } from '../support/peers.ts'
import { tls12Client, type Tls12Client } from '../support/tls12Client.ts'
import { keyKinds, listenerNames, serverName, startTlsGateway } from '../support/tlsGateway.ts'

// What no scanner tells in a way that could be compared, at every listener that speaks TLS, with either kind of key.

const test = suite('handshakes')

/** Milliseconds after which a connection counts as left open: far less than any listener's patience. */
const soon = 8_000

const closes = ({ closed }: Tls12Client) => Promise.race([closed.then(() => true), delay(soon, false, { ref: false })])

const finished = async (offer: TlsPort) => {
  const client = await tls12Client(offer)
  await client.finish()
  return client
}

const inappropriateFallback = 86

type Resumption = { readonly version: 'TLSv1.2' | 'TLSv1.3'; readonly ca: string; readonly session?: Buffer }

/** Whether a session was resumed, and the one that may be resumed the next time. */
const resumed = async (offer: TlsPort, { version, ca, session }: Resumption): Promise<readonly [boolean, Buffer]> => {
  const plain = (await beforeTls(offer)).release()
  const versions = { minVersion: version, maxVersion: version } as const
  const socket = connect({ socket: plain, servername: serverName, ca, session, ...versions })
  let newest: Buffer | undefined
  socket.on('session', (given: Buffer) => (newest = given))
  await once(socket, 'secureConnect')
  // Of every protocol a line that is answered: what is given under TLS 1.3 comes before.
  socket.write('HELP / HTTP/1.1\r\n\r\n')
  await once(socket, 'data')
  const last = newest ?? socket.getSession()
  const reused = socket.isSessionReused()
  socket.destroy()
  assert.ok(last)
  return [reused, last]
}

/** What TLS 1.2 of Windows Server 2012 R2 offers, in its order (KB2919355); of what is authenticated, ECDHE with ECDSA alone. */
const windows2012R2 = [
  'ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA:ECDHE-RSA-AES128-SHA',
  'DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-SHA:DHE-RSA-AES128-SHA',
  'AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-SHA256:AES128-SHA256:AES256-SHA:AES128-SHA',
  'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-SHA384',
  'ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA:ECDHE-ECDSA-AES128-SHA',
].join(':')
const itsSignatures = 'RSA+SHA256:RSA+SHA384:RSA+SHA1:ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA1'
const agreed = {
  ECDSA: /Server Temp Key: ECDH, prime256v1[^]*Cipher is ECDHE-ECDSA-AES256-GCM-SHA384/,
  RSA: /alert handshake failure/,
}

const offered = (port: number) =>
  new Promise<string>((resolve) => {
    const offer = [
      '-tls1_2',
      '-cipher',
      `${windows2012R2}@SECLEVEL=0`,
      '-curves',
      'P-256:P-384',
      '-sigalgs',
      itsSignatures,
    ]
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-starttls', 'smtp', ...offer]
    // It fails where nothing is agreed on: what it says tells.
    execFile('openssl', args, { timeout: 100_000 }, (_, stdout, stderr) => resolve(stdout + stderr)).stdin?.end()
  })

for (const kind of keyKinds) {
  const gateway = await startTlsGateway(kind)
  const atEach = (title: string, check: (offer: TlsPort) => Promise<void>) => {
    for (const name of listenerNames) test(`${kind}, ${name}: ${title}`, () => check(gateway.listeners[name]))
  }

  atEach('who asks for another handshake loses the connection', async (offer) => {
    const client = await finished(offer)
    client.renegotiate()
    assert.ok(await closes(client))
  })

  atEach('who sends a record that was changed on the way loses the connection', async (offer) => {
    const client = await finished(offer)
    client.garble()
    assert.ok(await closes(client))
  })

  atEach('compression is offered in vain', async (offer) => {
    const client = await tls12Client({ ...offer, compression: true })
    assert.equal(client.chosen, { cipher: kind === 'ECDSA' ? 0xc02b : 0xc02f, compression: 0 })
    await client.finish()
    client.destroy()
  })

  atEach('who has been made to fall back from TLS 1.3 is told so', async (offer) => {
    const { chosen, destroy } = await tls12Client({ ...offer, fallback: true })
    assert.equal(chosen, { alert: inappropriateFallback })
    destroy()
  })

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    atEach(`no ${version} session is resumed`, async (offer) => {
      const ca = gateway.authority.cert
      const [, session] = await resumed(offer, { version, ca })
      assert.is((await resumed(offer, { version, ca, session }))[0], false)
    })

  peerTest(
    test,
    ['openssl'],
    `${kind}: of what Windows Server 2012 R2 offers, only ECDHE with ECDSA is taken`,
    async () => {
      assert.match(await offered(gateway.listeners['smtp, STARTTLS'].port), agreed[kind])
    },
  )

  test(`${kind}: the gateway has survived it`, async () => {
    assert.is(await gateway.end(), 0)
  })
}

test.run()
