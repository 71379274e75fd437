import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { MessageId, SessionId } from '../../src/core/ids.ts'
import { submissionTraceHeader, type Trace, traceHeader } from '../../src/smtp/trace.ts'

const trace: Trace = {
  reversePath: 'sender@example.com',
  mailboxAddress: 'mbx-1@gateway.example',
  recipient: 'journal@customer.example',
  helloName: 'client.example',
  remoteAddress: '192.0.2.1',
  domain: 'gateway.example',
  extended: true,
  smtpUtf8: false,
  authenticated: false,
  tls: null,
  messageId: '018f-message' as MessageId,
  sessionId: '018f-session' as SessionId,
  at: new Date('2026-01-02T03:04:05.678Z'),
}
const header = (changed: Partial<Trace> = {}) => Buffer.from(traceHeader({ ...trace, ...changed })).toString()

test('the trace is the header of a final delivery', () => {
  assert.is(
    header(),
    [
      'Return-Path: <sender@example.com>',
      'Delivered-To: mbx-1@gateway.example',
      'Received: from client.example ([192.0.2.1])',
      '\tby gateway.example with ESMTP',
      '\tid 018f-message (session 018f-session)',
      '\tfor <journal@customer.example>;',
      '\tFri, 02 Jan 2026 03:04:05 +0000',
      '',
    ].join('\r\n'),
  )
})

test('the null reverse-path stays empty, and several recipients are not named', () => {
  const text = header({ reversePath: '', recipient: undefined })
  assert.match(text, /^Return-Path: <>\r\n/)
  assert.match(text, /\(session 018f-session\);\r\n\tFri/)
})

for (const [changed, protocol] of [
  [{ extended: false }, 'SMTP'],
  [{}, 'ESMTP'],
  [{ smtpUtf8: true }, 'UTF8SMTP'],
  [{ tls: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' } }, 'ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384)'],
  [{ smtpUtf8: true, tls: { version: 'TLSv1.2', cipher: 'X-Y' } }, 'UTF8SMTPS (TLSv1.2 X-Y)'],
] as const)
  test(`the protocol is ${protocol}`, () => {
    assert.ok(header(changed).includes(` with ${protocol}\r\n`))
  })

test('an IPv6 peer is an IPv6 literal', () => {
  assert.ok(header({ remoteAddress: '2001:db8::1' }).includes('([IPv6:2001:db8::1])'))
})

test('whatever a peer typed, the lines are these and no others, and the comments stay closed', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom('a\r\nBcc: victim@example.com', 'x) (y', 'a\u2028b', '\r\n\r\nbody', ''),
  )
  fc.assert(
    fc.property(hostile, hostile, hostile, (reversePath, recipient, helloName) => {
      const lines = header({ reversePath, recipient, helloName }).split('\r\n')
      const starts = ['Return-Path: <', 'Delivered-To: ', 'Received: from ', '\tby ', '\tid ', '\tfor <', '\tFri, ', '']
      assert.is(lines.length, starts.length)
      lines.forEach((line, index) => {
        assert.ok(line.startsWith(starts[index] ?? '?'), line)
        assert.not.match(line.slice(1), /[\p{Cc}\p{Zl}\p{Zp}]/u)
      })
      assert.match(lines[2] ?? '', /^Received: from [^()]+ \(\[192\.0\.2\.1\]\)$/)
    }),
  )
})

test('before a message of the proxy stands its envelope, one line for each recipient, and nothing that the client adds', () => {
  const recipients = ['one@example.org', 'two@example.org\r\nX-Forged: yes', '"a\u2028b"@example.org']
  const tls = { version: 'TLSv1.3', cipher: 'X-Y' }
  const text = Buffer.from(submissionTraceHeader({ ...trace, tls, reversePath: '', recipients })).toString()
  assert.is(
    text,
    [
      'Received: from client.example ([192.0.2.1])',
      '\tby gateway.example with ESMTPSA (TLSv1.3 X-Y)',
      '\tid 018f-message (session 018f-session);',
      '\tFri, 02 Jan 2026 03:04:05 +0000',
      'X-Sealpost-Envelope-From: <>',
      'X-Sealpost-Envelope-To: <one@example.org>',
      'X-Sealpost-Envelope-To: <two@example.org??X-Forged: yes>',
      'X-Sealpost-Envelope-To: <"a?b"@example.org>',
      '',
    ].join('\r\n'),
  )
})

test.run()
