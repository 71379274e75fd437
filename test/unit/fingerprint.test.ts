import { createHmac } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createArchive } from '../../src/archive.ts'
import { newMailboxId } from '../../src/core/ids.ts'
import { messageStream } from '../../src/core/streams.ts'
import { openFingerprints } from '../../src/proxy/fingerprint.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { bodyOf, scratchParts } from '../support/scratchParts.ts'

const origin = { mailboxId: newMailboxId(), server: 'pop.example.net', user: 'anna@example.com', uidl: 'u1' }

test('gateways that share the key store give the same message the same fingerprint', async () => {
  const { keys } = memoryKeys()
  const [one, other] = await Promise.all([openFingerprints(keys), openFingerprints(keys)])
  assert.is(one.originOf(origin), other.originOf(origin))
  assert.is(one.content().update('octets').digest('hex'), other.content().update('octets').digest('hex'))
})

test('another mailbox, server, user or unique id is another origin, however the words are cut', async () => {
  const { originOf } = await openFingerprints(memoryKeys().keys)
  const all = [
    origin,
    { ...origin, mailboxId: newMailboxId() },
    { ...origin, server: 'pop.example.org' },
    { ...origin, user: 'ann' },
    { ...origin, uidl: 'u2' },
    { ...origin, user: 'anna@example.comu', uidl: '1' },
    { ...origin, user: 'anna@example.com","u1', uidl: '' },
  ]
  assert.is(new Set(all.map(originOf)).size, all.length)
})

test('without the key nothing can be compared: another key store gives other fingerprints', async () => {
  const [one, other] = [await openFingerprints(memoryKeys().keys), await openFingerprints(memoryKeys().keys)]
  assert.is.not(one.originOf(origin), other.originOf(origin))
})

test('the archive records where a message was found, and the digest of its body without the trace', async () => {
  const parts = await scratchParts()
  const { key } = await openFingerprints(memoryKeys().keys)
  const delivery = {
    ...parts.delivery('X-Sealpost-Source: pop.example.net\r\n'),
    source: 'pop3-proxy',
    target: 'pop.example.net:995',
    fingerprint: { origin: 'ab', key },
  } as const
  await createArchive(parts).receive(delivery, bodyOf('Subject: x\r\n', '\r\nHello\r\n'))
  const [received] = await parts.log.readStream(messageStream(delivery.messageId), 0, 1)
  assert.ok(received?.type === 'MessageReceived')
  assert.is(received.data.target, 'pop.example.net:995')
  const content = createHmac('sha256', key).update('Subject: x\r\n\r\nHello\r\n').digest('hex')
  assert.equal(received.data.fingerprint, { origin: 'ab', content })
  await parts.close()
})

test.run()
