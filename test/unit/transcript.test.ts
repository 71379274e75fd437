import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { transcriptDigest } from '../../src/core/transcriptDigest.ts'
import { judge } from '../../src/replaySession.ts'
import {
  anyPop3Proxy,
  anyPop3Session,
  anySmtpSession,
  livePop3,
  type Lived,
  liveSmtp,
  pop3Life,
  pop3ProxyLife,
  smtpLife,
} from '../support/anySession.ts'

const closedAs = ({ transcript, outcome }: Pick<Lived, 'transcript' | 'outcome'>) => ({
  outcome,
  octetsIn: 1,
  octetsOut: 1,
  transcript,
  transcriptSha256: transcriptDigest(transcript),
})
const verdictOn = (lived: Lived) => judge(lived.sessionId, closedAs(lived)).verdict
const assertConsistent = (lived: Lived) => {
  const { verdict, because } = judge(lived.sessionId, closedAs(lived))
  assert.is(verdict, 'consistent', `${because}\n${lived.transcript}`)
}

test('whatever happens in an SMTP session, its transcript drives the machine through the same states and replies', () =>
  fc.assert(
    fc.asyncProperty(anySmtpSession, async (drawn) => assertConsistent(await smtpLife(drawn))),
    { numRuns: 300 },
  ))

test('whatever happens in a POP3 session, its transcript drives the machine through the same states and replies', () =>
  fc.assert(
    fc.asyncProperty(anyPop3Session, async (drawn) => assertConsistent(await pop3Life(drawn))),
    { numRuns: 300 },
  ))

test('whatever happens on a POP3 proxy connection, its transcript drives the machine through the same states and effects', () =>
  fc.assert(
    fc.asyncProperty(anyPop3Proxy, async (drawn) => assertConsistent(await pop3ProxyLife(drawn))),
    { numRuns: 300 },
  ))

test('a transcript never grows beyond its limit, says that it is truncated, and is consistent as far as it goes', () =>
  fc.assert(
    fc.asyncProperty(anySmtpSession, anyPop3Session, fc.integer({ min: 400, max: 1200 }), async (smtp, pop3, limit) => {
      for (const [bounded, whole] of [
        [await smtpLife(smtp, limit), await smtpLife(smtp)],
        [await pop3Life(pop3, limit), await pop3Life(pop3)],
      ] as const) {
        assert.ok(bounded.transcript.length <= limit)
        assertConsistent(bounded)
        const fits = whole.transcript.length + 'truncated'.length - 'complete'.length <= limit
        assert.is(bounded.transcript.endsWith('end complete\n'), fits)
        if (!fits) assert.ok(bounded.transcript.endsWith('end truncated\n'))
      }
    }),
    { numRuns: 60 },
  ))

const smtp = await liveSmtp(
  { secure: false, crowded: false, maxSize: 1000, maxRecipients: 2, maxBadCommands: 3 },
  [
    { type: 'hello', extended: true },
    { type: 'malformed', problem: 'unknownCommand' },
    { type: 'mail', size: 5, smtpUtf8: true },
    { type: 'rcpt', found: { is: 'mailbox', mailboxId: `mbx-${'1'.repeat(32)}` as never }, ascii: false },
    { type: 'data' },
    { type: 'workFailed', code: 'storage-full' },
    { type: 'quit' },
  ],
  1e5,
)
const pop3 = await livePop3(
  { secure: true, proxy: false, badCommands: 5, whole: true, status: 'ok' },
  [
    { type: 'auth', found: 'given' },
    { type: 'workDone' },
    { type: 'malformed', syntax: 'DELE number' },
    { type: 'quit' },
  ],
  1e5,
)

test('a transcript reads as what happened', () => {
  assert.equal(smtp.transcript.split('\n').slice(2), [
    'machine smtpSession 1',
    'input plain room size=1000 recipients=2 bad=3',
    '0 > open.greeted 220',
    '2 hello extended > open.helloed 250',
    '2 malformed unknownCommand > open.helloed 500/5.5.1',
    '2 mail size=5 smtputf8 > open.transaction.mailed 250/2.1.0',
    `15 rcpt mailbox mbx-${'1'.repeat(32)} beyond-ascii > open.transaction.addressed 250/2.1.5`,
    '15 data > receiving 354',
    '26 receive.failed storage-full > open.helloed 452/4.3.1',
    '995 quit > ended 221/2.0.0',
    'end complete',
    '',
  ])
  assert.equal(pop3.transcript.split('\n').slice(2), [
    'machine pop3Session 1',
    'input tls bad=5',
    '0 > anonymous +OK',
    '2 auth given > unlocking',
    '2 unlock.done count=3 octets=210 > open +OK',
    '2 malformed > open -ERR',
    '15 quit > ended +OK',
    'end complete',
    '',
  ])
})

/** The same text with another octet at one place. */
const changed = (text: string, at: number, by: number) => {
  const octets = Buffer.from(text, 'latin1')
  octets[at] = (octets[at] ?? 0) ^ by
  return octets.toString('latin1')
}

test('any one octet changed in a transcript, or in its digest, is found', () => {
  for (const lived of [smtp, pop3]) {
    const closed = closedAs(lived)
    assert.is(judge(lived.sessionId, closed).verdict, 'consistent')
    for (let by = 1; by < 256; by++) {
      for (let at = 0; at < lived.transcript.length; at++) {
        const transcript = changed(lived.transcript, at, by)
        assert.is(judge(lived.sessionId, { ...closed, transcript }).verdict, 'damaged', `${at} ${by}`)
      }
      for (let at = 0; at < 64; at++) {
        const transcriptSha256 = changed(closed.transcriptSha256, at, by)
        assert.is(judge(lived.sessionId, { ...closed, transcriptSha256 }).verdict, 'damaged')
      }
    }
  }
})

/** What a forger does who knows how the digest is made. */
const forged = (lived: Lived, from: string | RegExp, to: string): Lived => {
  const transcript = lived.transcript.replace(from, to)
  assert.is.not(transcript, lived.transcript)
  return { ...lived, transcript }
}

// prettier-ignore
const forgeries: readonly (readonly [name: string, lived: Lived, verdict: string])[] = [
  ['another state', forged(smtp, '> open.transaction.mailed', '> open.helloed'), 'inconsistent'],
  ['another reply', forged(smtp, '452/4.3.1', '250/2.6.0'), 'inconsistent'],
  ['a reply more', forged(smtp, '354', '354 354'), 'inconsistent'],
  ['a reply less', forged(smtp, ' 354', ''), 'inconsistent'],
  ['another failure', forged(smtp, 'storage-full', 'internal'), 'inconsistent'],
  ['a failure that there is not', forged(smtp, 'storage-full', 'storage-fool'), 'inconsistent'],
  ['a step left out', forged(smtp, /\n2 mail [^\n]*/, ''), 'inconsistent'],
  ['another limit', forged(smtp, 'size=1000', 'size=4'), 'inconsistent'],
  ['an input of another form', forged(smtp, 'size=1000', 'size=01000'), 'inconsistent'],
  ['an event of another form', forged(smtp, 'size=5', 'size=05'), 'inconsistent'],
  ['a word more', forged(pop3, 'malformed >', 'malformed DELE >'), 'inconsistent'],
  ['another login', forged(pop3, 'auth given', 'auth proxied'), 'inconsistent'],
  ['the end cut off', forged(smtp, /\n995 quit [^\n]*/, ''), 'inconsistent'],
  ['nothing but an end', { ...forged(pop3, /\n0 >[^]*(?=\nend)/, ''), outcome: 'failed' }, 'damaged'],
  ['more after the end', forged(smtp, 'end complete', '996 noop > ended 250/2.0.0\nend complete'), 'inconsistent'],
  ['another outcome', { ...smtp, outcome: 'lost' }, 'inconsistent'],
  ['another session', forged(smtp, /^session .*$/m, 'session 0197f3a0-5b3c-7d2e-8f10-2b3c4d5e6f70'), 'damaged'],
  ['time that runs backwards', forged(smtp, '995 quit', '14 quit'), 'damaged'],
  ['a second beginning', forged(smtp, '15 data >', '15 >'), 'damaged'],
  ['no line end', forged(smtp, 'end complete\n', 'end complete'), 'damaged'],
  ['a version to come', forged(smtp, 'smtpSession 1', 'smtpSession 2'), 'not-comparable'],
  ['a machine that there is not', forged(smtp, 'smtpSession 1', 'imapSession 1'), 'not-comparable'],
]
for (const [name, lived, verdict] of forgeries)
  test(`${name}, with the digest made to fit, is ${verdict.replace('-', ' ')}`, () =>
    assert.is(verdictOn(lived), verdict))

test('the first step that differs is named, with what the machine does there', () => {
  const lived = forged(smtp, '452/4.3.1', '250/2.6.0')
  const { difference, steps } = judge(lived.sessionId, closedAs(lived))
  assert.equal(difference, { step: 6, machine: { state: 'open.helloed', replies: ['452/4.3.1'] } })
  assert.equal(steps[6], {
    at: 26,
    event: 'receive.failed storage-full',
    state: 'open.helloed',
    replies: ['250/2.6.0'],
  })
})

test('a session without a transcript is not recorded', () => {
  const closed = { outcome: 'lost', octetsIn: null, octetsOut: null, transcript: null, transcriptSha256: null } as const
  assert.is(judge(smtp.sessionId, closed).verdict, 'not-recorded')
})

test.run()
