import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { freePorts } from '../../ops/scratchGateway.ts'
import { beforeTls } from '../support/beforeTls.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { type Offer, tls12Client, type Tls12Client } from '../support/tls12Client.ts'

// What no scanner tells in a way that could be compared, at every listener that speaks TLS, with either kind of key.

const test = suite('handshakes')
const dir = mkdtempSync(join(tmpdir(), 'sealpost-'))
test.after(() => rmSync(dir, { recursive: true }))
const authority = await testAuthority()

const started = async (kind: 'ECDSA' | 'RSA') => {
  const pair = await authority.issue({ names: ['gateway.test', 'mta-sts.gateway.test'], key: kind })
  const [keyFile, certFile] = [join(dir, `${kind}.key`), join(dir, `${kind}.pem`)]
  writeFileSync(keyFile, pair.key)
  writeFileSync(certFile, pair.cert)
  const { admin: policy } = await freePorts()
  const gateway = await startTestGateway({
    env: {
      SEALPOST_TLS_MODE: 'files',
      SEALPOST_TLS_CERT_FILE: certFile,
      SEALPOST_TLS_KEY_FILE: keyFile,
      SEALPOST_PROXY_TARGETS: 'pop.example.net',
      SEALPOST_MTA_STS_HOST: '127.0.0.1',
      SEALPOST_MTA_STS_PORT: String(policy),
      SEALPOST_MTA_STS_MX: 'gateway.test',
    },
  })
  const { ports } = gateway
  const listeners: Readonly<Record<string, Offer>> = {
    'smtp, STARTTLS': { port: ports.smtp, starttls: 'smtp' },
    smtps: { port: ports.smtps },
    'submission, STARTTLS': { port: ports.submission, starttls: 'smtp' },
    submissions: { port: ports.submissions },
    'pop3, STLS': { port: ports.pop3, starttls: 'pop3' },
    pop3s: { port: ports.pop3s },
    admin: { port: ports.admin },
    'MTA-STS': { port: policy },
  }
  return { gateway, listeners }
}

/** Milliseconds after which a connection counts as left open: far less than any listener's patience. */
const soon = 3_000

const closes = ({ closed }: Tls12Client) => Promise.race([closed.then(() => true), delay(soon, false, { ref: false })])

const finished = async (offer: Offer) => {
  const client = await tls12Client(offer)
  await client.finish()
  return client
}

const inappropriateFallback = 86

type Version = 'TLSv1.2' | 'TLSv1.3'

/** Whether a session was resumed, and the one that may be resumed the next time. */
const resumed = async (offer: Offer, version: Version, session?: Buffer): Promise<readonly [boolean, Buffer]> => {
  const plain = (await beforeTls(offer)).release()
  const versions = { minVersion: version, maxVersion: version } as const
  const socket = connect({ socket: plain, servername: 'gateway.test', ca: authority.cert, session, ...versions })
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

for (const kind of ['ECDSA', 'RSA'] as const) {
  const { gateway, listeners } = await started(kind)
  const atEach = (title: string, check: (offer: Offer) => Promise<void>) => {
    for (const [name, offer] of Object.entries(listeners)) test(`${kind}, ${name}: ${title}`, () => check(offer))
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
      const [, session] = await resumed(offer, version)
      assert.is((await resumed(offer, version, session))[0], false)
    })

  test(`${kind}: the gateway has survived it`, async () => {
    assert.is(await gateway.stop(), 0)
    gateway.remove()
  })
}

test.run()
