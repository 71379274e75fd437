import fc from 'fast-check'
import { SMTPServer } from 'smtp-server'
import * as assert from 'uvu/assert'
import { readTranscript } from '../../actors/readTranscript.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { systemClock } from '../../src/core/ports.ts'
import { openSmtpProxies } from '../../src/proxy/smtpProxy.ts'
import type { Relayed } from '../../src/relays.ts'
import { SubmissionConnection, type SubmissionShared } from '../../src/smtp/submissionConnection.ts'
import { octetsInFlight } from '../../src/wire/flight.ts'
import { replayingSessions } from '../support/replayingSessions.ts'
import { silence } from '../support/smtpProvider.ts'
import { limits } from '../wire/smtpTestServer.ts'
import { submission } from './gatewayOpenings.ts'
import { hostileSmtp, isServer, isWhole } from './hostileSmtp.ts'
import { joined, piecesOf, type Segmented, segmented, sentence, spoilt, wordOf } from './octets.ts'
import { mustBeProxiedSmtp, peerSaying, withoutIds } from './peers.ts'
import {
  admission,
  type Answers,
  anyDisk,
  type Disk,
  gone,
  keepingArchive,
  last,
  secret,
  userAt,
  waiting,
  watchedLog,
} from './proxied.ts'
import { smtpAnswer } from './remoteWords.ts'
import { anyMessage } from './saslWords.ts'
import { content, smtpDialogue, smtpLine } from './smtpWords.ts'
import { statesKnown } from './states.ts'
import { target } from './target.ts'

const places = { mailUser: userAt('smtp.example.net'), upgradedMailUser: userAt('upgraded.example.net') }
const openings: typeof submission = {
  ...submission,
  inClear: (of) => submission['loggedIn']?.({ ...of, mailUser: userAt('clear.example.net') }) ?? '',
  answering: ({ mailUser }) => submission['byToken']?.({ ...places, mailUser }) ?? '',
  helloed: () => 'EHLO client.example\r\n',
  securing: () => 'EHLO client.example\r\nSTARTTLS\r\n',
}
/** What the server says first in sessions that begin so. */
const answersTo: Readonly<Record<string, Answers>> = { answering: [null, null, '334 '] }
/** They are of a session without TLS. */
const plainOpenings = new Set(['helloed', 'securing'])

type Session = Segmented & {
  readonly opening: string
  readonly answers: Answers
  readonly disk?: Disk
}

/** Of them only the settings are used. */
const listeners = { plain: new SMTPServer({ logger: false }), secure: new SMTPServer({ logger: false, secure: true }) }
const nothing = () => undefined

/** Everything that a session was, but for its ids. */
const lived = async ({ opening, octets, cuts, answers, disk = 'quick' }: Session, reached: Set<string>) => {
  const { archive, kept } = keepingArchive(disk)
  const flight = octetsInFlight(() => limits.bytesInFlight)
  const log = watchedLog()
  const relayed: Relayed[] = []
  const replayed = replayingSessions()
  const provider = hostileSmtp([...(answersTo[opening] ?? []), ...answers], (sent) => {
    assert.is(kept.at(-1)?.octets, sent, 'what the provider has whole is in the archive')
  })
  const { proxies, mustBeFree } = admission(({ server }) =>
    isServer(server)
      ? Promise.resolve(provider.dial(server))
      : Promise.reject(new GatewayError('proxy-unreachable', { detail: 'There is no such server' })),
  )
  const sessions = replayed.recorder({
    opened: nothing,
    happened: nothing,
    closed: ({ transcript }) => {
      const { machine = '', steps = [] } = readTranscript(transcript) ?? {}
      for (const { state } of steps) reached.add(`${machine} ${state}`)
    },
  })
  const shared: SubmissionShared = {
    domain: 'gateway.example',
    sessions,
    refused: nothing,
    limits,
    putOff: nothing,
    logger: log.logger,
    clock: systemClock,
    running: new Map(),
    open: new Set(),
    proxies: openSmtpProxies({
      domain: 'gateway.example',
      proxies,
      archive,
      flight,
      sessions,
      relays: { record: (one) => Promise.resolve(void relayed.push(one)) },
      settings: { ...waiting(answers.every(isWhole)), bytesInFlight: 64 * 1024 },
      limits,
      clock: systemClock,
      logger: log.logger,
    }),
  }
  const peer = peerSaying(piecesOf({ octets: (openings[opening]?.(places) ?? '') + octets, cuts }))
  const plain = plainOpenings.has(opening)
  const accepted = { protocol: plain ? 'submission' : 'submissions', socketOptions: null, leave: nothing } as const
  const connection = new SubmissionConnection(listeners[plain ? 'plain' : 'secure'], peer.socket, shared, accepted)
  connection.init()
  await connection.gone
  await shared.proxies.close()
  replayed.verify()
  log.mustBeClean()
  provider.mustBeContent()
  await mustBeFree()
  assert.is(flight.octets(), 0)
  assert.is(shared.running.size + shared.open.size, 0)
  // Invariant 3's other half: what is kept has one outcome.
  assert.equal(
    relayed.map(({ messageId }) => messageId).toSorted(),
    kept.map(({ delivery }) => delivery.messageId).toSorted(),
  )
  return { heard: withoutIds(peer.heard()), mails: provider.mails }
}

/** A mail client's whole session and its proxy connection to a hostile provider, from every state, in memory. */
export const submissionSession = target<Session>((corpus) => {
  const reached = new Set<string>()
  const afterwards = joined(sentence('$$', wordOf('\r\n.\r\n', '\r\n', '.\r\n'), smtpLine), 4)
  const transaction = sentence(
    '$$DATA\r\n$\r\n.\r\n$',
    wordOf('MAIL FROM:<a@example.com>\r\n', 'MAIL FROM:<>\r\n', 'RSET\r\n'),
    wordOf('RCPT TO:<b@example.net>\r\n', 'RCPT TO:<b@example.net>\r\nRCPT TO:<c@example.net>\r\n', 'NOOP\r\n'),
    content([]),
    joined(sentence('$\r\n', smtpLine), 3),
  )
  const octets = fc.oneof(
    spoilt(smtpDialogue(corpus.map((one) => one.octets))),
    spoilt(sentence('$$', content([]), afterwards)),
    transaction,
    spoilt(sentence('$\r\n$\r\n$', anyMessage, anyMessage, smtpLine)),
  )
  const answer = fc.oneof(
    { weight: 12, arbitrary: smtpAnswer },
    { weight: 1, arbitrary: fc.constantFrom(gone, last, silence) },
  )
  return {
    inputs: fc
      .record({
        opening: fc.constantFrom(...Object.keys(openings)),
        said: segmented(octets),
        disk: anyDisk,
        answers: fc.array(fc.option(answer, { freq: 2 }), { maxLength: 8 }),
      })
      .map(({ said, ...rest }) => ({ ...said, ...rest })),
    costs: 500,
    states: { known: statesKnown('submissionSession', 'smtpProxy'), reached },
    check: async (input) => {
      const inPieces = await lived(input, reached)
      mustBeProxiedSmtp(inPieces.heard)
      assert.not.ok(inPieces.heard.includes(secret) && input.answers.every((one) => !one?.includes(secret)))
      if (input.opening === 'securing' || !input.answers.every(isWhole) || input.answers.includes(last)) return
      assert.equal(await lived({ ...input, cuts: [] }, reached), inPieces)
    },
  }
})
