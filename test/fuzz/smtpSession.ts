import fc from 'fast-check'
import { SMTPServer } from 'smtp-server'
import * as assert from 'uvu/assert'
import { work } from '../../actors/session.ts'
import { smtpSession as machine } from '../../actors/smtpSession.ts'
import { readTranscript } from '../../actors/readTranscript.ts'
import { systemClock } from '../../src/core/ports.ts'
import type { Position } from '../../src/core/ids.ts'
import { anySender } from '../../src/core/senderPolicy.ts'
import { JournalConnection } from '../../src/smtp/connection.ts'
import type { SmtpShared } from '../../src/smtp/shared.ts'
import { octetsInFlight } from '../../src/wire/flight.ts'
import { replayingSessions } from '../support/replayingSessions.ts'
import { addressBook, limits } from '../wire/smtpTestServer.ts'
import { joined, piecesOf, type Segmented, segmented, sentence, spoilt, textOf, wordOf } from './octets.ts'
import { mustBeSmtp, peerSaying, withoutIds } from './peers.ts'
import { content, ownMailbox, smtpDialogue, smtpLine } from './smtpWords.ts'
import { statesKnown } from './states.ts'
import { target } from './target.ts'

/** What leads a session into each state in which its peer may speak. */
const mailed = 'EHLO client.example\r\nMAIL FROM:<a@example.com>\r\n'
const addressed = `${mailed}RCPT TO:<${ownMailbox}>\r\n`
const openings: Readonly<Record<string, string>> = {
  greeted: '',
  helloed: 'EHLO client.example\r\n',
  mailed,
  addressed,
  receiving: `${addressed}DATA\r\n`,
  coming: `${addressed}BDAT 10\r\nabc`,
  awaiting: `${addressed}BDAT 4\r\nabcd`,
  last: `${addressed}BDAT 10 LAST\r\nabc`,
  // Only a session that has named a recipient is recorded.
  spoilt: `${addressed}RSET\r\nMAIL FROM:<a@example.com>\r\nBDAT 3\r\nabc`,
  oversized: `${addressed}BDAT 100001\r\nabc`,
  lastOversized: `${addressed}BDAT 100001 LAST\r\n${'abc'.repeat(33_000)}`,
  securing: `${addressed}RSET\r\nSTARTTLS\r\n`,
}

/** Of it only the settings are used. */
const server = new SMTPServer({ logger: false })

type Session = Segmented & { readonly opening: string }

/** Everything that a session was, but for its ids. */
const lived = async ({ opening, octets, cuts }: Session, reached: Set<string>) => {
  const mails: string[] = []
  const defects: unknown[] = []
  const replayed = replayingSessions()
  const running = new Map<string, JournalConnection>()
  const nothing = () => undefined
  const shared: SmtpShared = {
    domain: 'gateway.example',
    postmaster: undefined,
    resolve: (wanted) => addressBook.get(wanted),
    current: undefined,
    checkSender: undefined,
    senders: {
      offered: () => false,
      authenticate: () => Promise.reject(new Error('nobody logs in here')),
      maySend: () => false,
    },
    senderPolicy: () => anySender,
    machine: machine.provide({
      actors: {
        receive: work(({ input, signal }) => {
          const connection = running.get(input.sessionId)
          if (!connection) throw new Error('no such session')
          return connection.receive(input, signal)
        }),
      },
    }),
    archive: {
      receive: async ({ messageId, trace }, body) => {
        let read = ''
        for await (const piece of body) read += textOf(piece)
        mails.push(withoutIds(textOf(trace) + read))
        return { messageId, size: 0, wireSize: 0, position: '1' as Position, content: undefined }
      },
    },
    sessions: replayed.recorder({
      opened: nothing,
      happened: nothing,
      closed: ({ transcript }) => {
        for (const { state } of readTranscript(transcript)?.steps ?? []) reached.add(`smtpSession ${state}`)
      },
    }),
    refused: nothing,
    putOff: nothing,
    flight: octetsInFlight(() => Infinity),
    limits,
    logger: { info: nothing, warn: nothing, error: (fields) => void defects.push(fields) },
    clock: systemClock,
    // The maps that are the server's.
    running: running as SmtpShared['running'],
    open: new Set(),
  }
  const peer = peerSaying(piecesOf({ octets: (openings[opening] ?? '') + octets, cuts }))
  const connection = new JournalConnection(server, peer.socket, shared, {
    protocol: 'smtp',
    socketOptions: null,
    leave: nothing,
  })
  connection.init()
  await connection.gone
  replayed.verify()
  assert.equal(defects, [])
  return { heard: withoutIds(peer.heard()), mails }
}

/** Every 250 to the end of a message stands for one that is whole in the archive, and there are no others. */
const mustBeKept = (heard: string, mails: readonly string[]) => {
  const acknowledged = heard.match(/^250 2\.0\.0 [^\r]*\bid\b/gm) ?? []
  assert.ok(mails.length >= acknowledged.length, 'a message was acknowledged that is not there')
}

/** A journal sender's whole session, from every state: well-formed answers, the same in any segmentation. */
export const smtpSession = target<Session>((corpus) => {
  const reached = new Set<string>()
  const afterwards = joined(sentence('$$', wordOf('\r\n.\r\n', '\r\n', '.\r\n'), smtpLine), 4)
  const octets = fc.oneof(
    spoilt(smtpDialogue(corpus.map((one) => one.octets))),
    spoilt(sentence('$$', content([]), afterwards)),
    sentence('BDAT $ LAST\r\n$', wordOf('3', '10', '0'), afterwards),
  )
  const drawn = segmented(octets)
  return {
    inputs: fc
      .record({ opening: fc.constantFrom(...Object.keys(openings)), drawn })
      .map(({ opening, drawn }) => ({ opening, ...drawn })),
    costs: 200,
    states: { known: statesKnown('smtpSession'), reached },
    check: async (input) => {
      const inPieces = await lived(input, reached)
      const [clear = '', ...secured] = inPieces.heard.split(/(?<=Ready to start TLS\r\n)/)
      mustBeSmtp(clear)
      mustBeKept(inPieces.heard, inPieces.mails)
      // What stands behind STARTTLS is dropped if it came with it, and else no TLS: there the segments do matter.
      if (secured.length > 0 || clear.endsWith('TLS\r\n')) return
      assert.equal(await lived({ ...input, cuts: [] }, reached), inPieces)
    },
  }
})
