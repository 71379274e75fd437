import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { readTranscript } from '../../actors/readTranscript.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { systemClock } from '../../src/core/ports.ts'
import { startPop3 } from '../../src/pop3/pop3Server.ts'
import { openFingerprints } from '../../src/proxy/fingerprint.ts'
import { openPop3Proxies, type Pop3Proxies } from '../../src/proxy/pop3Proxy.ts'
import { octetsInFlight } from '../../src/wire/flight.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { replayingSessions } from '../support/replayingSessions.ts'
import { silence } from '../support/smtpProvider.ts'
import { memoryMaildrops } from '../wire/memoryMaildrops.ts'
import { noBalancers } from '../wire/pop3Transcript.ts'
import { limits } from '../wire/smtpTestServer.ts'
import { testCertificate } from '../wire/testCertificate.ts'
import { proxied } from './gatewayOpenings.ts'
import { hostilePop3, isWhole, mustBeMail, servers } from './hostilePop3.ts'
import { bufferOf, joined, piecesOf, type Segmented, segmented, sentence, spoilt, textOf } from './octets.ts'
import { withoutIds } from './peers.ts'
import { pop3Dialogue, pop3Line } from './pop3Words.ts'
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
import { pop3Answer } from './remoteWords.ts'
import { anyMessage } from './saslWords.ts'
import { statesKnown } from './states.ts'
import { target } from './target.ts'

const places = { maildropUser: userAt('pop.example.net'), upgradedMaildropUser: userAt('upgraded.example.net') }
const readingAt = (server: string) => () => proxied['reading']?.({ ...places, maildropUser: userAt(server) }) ?? ''
const openings: typeof proxied = {
  ...proxied,
  inClear: readingAt('clear.example.net'),
  bare: readingAt('bare.example.net'),
  idless: readingAt('idless.example.net'),
  answering: (of) => proxied['byToken']?.(of) ?? '',
  begun: () => 'AUTH XOAUTH2\r\n',
}

/** What the server says first in sessions that begin so. */
const answersTo: Readonly<Record<string, Answers>> = {
  answering: [null, null, '+ ', '+ VXNlcm5hbWU6'],
}

const bareLf = /(?<!\r)\n/

type Session = Segmented & {
  readonly opening: string
  readonly answers: Answers
  readonly disk?: Disk
}

/** A mail client's whole session over TLS and its proxy connection to a hostile server in memory, from every state. */
export const pop3Proxied = target<Session>(async (corpus) => {
  const reached = new Set<string>()
  const pair = await testCertificate()
  const fingerprints = await openFingerprints(memoryKeys().keys)
  const nothing = () => undefined
  const replayed = replayingSessions()
  const sessions = replayed.recorder({
    opened: nothing,
    happened: nothing,
    closed: ({ transcript }) => {
      const { machine = '', steps = [] } = readTranscript(transcript) ?? {}
      for (const { state } of steps) reached.add(`${machine} ${state}`)
    },
  })
  /** Those of the session that is tried. */
  let proxies: Pop3Proxies | undefined
  const log = watchedLog()
  const server = await startPop3({
    listeners: [{ host: '127.0.0.1', port: 0, protocol: 'pop3s' }],
    domain: 'gateway.example',
    loadBalancers: noBalancers,
    limits,
    tls: () => pair,
    proxies: { open: (...of) => proxies?.open(...of) ?? Promise.reject(new GatewayError('internal')) },
    maildrops: memoryMaildrops('', []).maildrops,
    sessions,
    clock: systemClock,
    refused: nothing,
    logger: log.logger,
  })
  const port = server.addresses[0]?.port ?? 0

  const say = async (pieces: readonly string[]) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
    const heard: Buffer[] = []
    socket.setNoDelay()
    socket.on('data', (chunk: Buffer) => heard.push(chunk)).on('error', () => socket.destroy())
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await once(socket, 'secureConnect')
    for (const piece of pieces) {
      socket.write(bufferOf(piece))
      await new Promise((resolve) => setImmediate(resolve))
    }
    // Out of a challenge, and out of the session.
    socket.write('\r\nQUIT\r\nQUIT\r\n')
    await closed
    return textOf(Buffer.concat(heard))
  }

  /** Everything that a session was, but for its ids. */
  const lived = async ({ opening, octets, cuts, answers, disk = 'quick' }: Session) => {
    const { archive, kept } = keepingArchive(disk)
    const flight = octetsInFlight(() => limits.bytesInFlight)
    const provider = hostilePop3([...(answersTo[opening] ?? []), ...answers], () => kept.length)
    const { proxies: admitting, mustBeFree } = admission(({ server: name }) => {
      const options = servers[name]
      if (options) return Promise.resolve(provider.dial(options))
      return Promise.reject(new GatewayError('proxy-unreachable', { detail: 'There is no such server' }))
    })
    proxies = openPop3Proxies({
      proxies: admitting,
      archive,
      flight,
      sessions,
      fingerprints,
      caughtUp: () => Promise.resolve(),
      recorded: nothing,
      settings: { ...waiting(answers.every(isWhole)), bytesInFlight: 16 * 1024 },
      limits,
      clock: systemClock,
      logger: log.logger,
    })
    const heard = await say(piecesOf({ octets: (openings[opening]?.(places) ?? '') + octets, cuts }).slice(0, 500))
    // A session may outlive its connection by what it was at.
    for (let turn = 0; server.connections() > 0 && turn < 2000; turn++) await delay(1)
    assert.is(server.connections(), 0)
    await mustBeFree()
    assert.is(flight.octets(), 0)
    replayed.verify()
    log.mustBeClean()
    provider.mustBeContent()
    if (answers.every((answer) => answer === null)) mustBeMail(heard, kept.length)
    return { heard: withoutIds(heard), asked: provider.heard }
  }

  const octets = fc.oneof(
    spoilt(pop3Dialogue(corpus.map((one) => one.octets))),
    joined(sentence('$\r\n', pop3Line), 12),
    spoilt(sentence('$\r\n$\r\n$', anyMessage, anyMessage, pop3Line)),
  )
  const answer = fc.oneof(
    { weight: 12, arbitrary: pop3Answer },
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
    // Some thousand commands, each of which the server is asked.
    costs: 1000,
    states: { known: statesKnown('pop3Session', 'pop3Proxy'), reached },
    check: async (input) => {
      const inPieces = await lived(input)
      assert.match(inPieces.heard, /^\+OK gateway\.example /)
      assert.match(inPieces.heard, /\n$/)
      // The lines of a server's lists and messages pass as they are.
      if (!input.answers.some((one) => bareLf.test(one ?? ''))) assert.not.match(inPieces.heard, bareLf)
      assert.not.ok(inPieces.heard.includes(secret) && input.answers.every((one) => !one?.includes(secret)))
      const isLong = input.octets.length > 4096
      if (isLong || !input.answers.every(isWhole) || input.answers.includes(last)) return
      assert.equal(await lived({ ...input, cuts: [] }), inPieces)
    },
    close: () => server.close(0),
  }
})
