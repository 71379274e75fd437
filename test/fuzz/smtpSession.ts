import { setImmediate as nextTurn } from 'node:timers/promises'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { SMTPServer } from 'smtp-server'
import * as assert from 'uvu/assert'
import { work } from '../../actors/session.ts'
import { smtpSession as machine } from '../../actors/smtpSession.ts'
import { readTranscript } from '../../actors/readTranscript.ts'
import { systemClock } from '../../src/core/ports.ts'
import type { Position, SessionId } from '../../src/core/ids.ts'
import { anySender } from '../../src/core/senderPolicy.ts'
import { JournalConnection } from '../../src/smtp/connection.ts'
import type { SmtpShared } from '../../src/smtp/shared.ts'
import { octetsInFlight } from '../../src/wire/flight.ts'
import { replayingSessions } from '../support/replayingSessions.ts'
import { addressBook, limits, mailboxId } from '../wire/smtpTestServer.ts'
import { asking, askedSenders, securedOpenings } from './askedSenders.ts'
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

const credentials = ['{right}', '{narrow}', '{wrong}', '{name}', '{token}', '*', '=', '']

/** Of them only the settings are used. */
const listeners = { plain: new SMTPServer({ logger: false }), secure: new SMTPServer({ logger: false, secure: true }) }

/** `asks` is what is asked of its sender; nothing unless said. */
type Session = Segmented & { readonly opening: string; readonly asks?: string }

type World = { readonly reached: Set<string>; readonly asked: Awaited<ReturnType<typeof askedSenders>> }

/** Everything that a session was, but for its ids. */
const lived = async ({ opening, octets, cuts, asks = 'nothing' }: Session, { reached, asked }: World) => {
  const mails: string[] = []
  const kept = new Set<string>()
  const defects: unknown[] = []
  const replayed = replayingSessions()
  const secured = securedOpenings[opening]
  const policies = asking[asks] ?? {}
  asked.next()
  const running = new Map<string, JournalConnection>()
  const nothing = () => undefined
  /** What is thrown where the gateway calls is the gateway's to answer. */
  const noting = (check: () => void) => {
    try {
      check()
    } catch (error) {
      defects.push(String(error))
    }
  }
  const note = (fields: object, text: string) => noting(() => asked.mustHide(`${text} ${inspect(fields)}`))
  const session = ({ sessionId }: { readonly sessionId: SessionId }) => {
    const connection = running.get(sessionId)
    if (!connection) throw new Error('no such session')
    return connection
  }
  const shared: SmtpShared = {
    domain: 'gateway.example',
    postmaster: undefined,
    resolve: (wanted) => {
      const found = addressBook.get(wanted)
      return found && found.mailboxId === mailboxId ? { ...found, senderPolicy: policies.mailbox ?? anySender } : found
    },
    current: undefined,
    checkSender: undefined,
    senders: asked.senders,
    senderPolicy: () => policies.listener ?? anySender,
    machine: machine.provide({
      actors: {
        authenticate: work(({ input }) => session(input).authenticate()),
        receive: work(({ input, signal }) => session(input).receive(input, signal)),
      },
    }),
    archive: {
      receive: async (delivery, body) => {
        const { messageId, trace } = delivery
        let read = ''
        for await (const piece of body) read += textOf(piece)
        await nextTurn()
        noting(() => asked.mustBeShown(policies, secured !== undefined, delivery))
        mails.push(withoutIds(textOf(trace) + read))
        kept.add(messageId)
        return { messageId, size: 0, wireSize: 0, position: '1' as Position, content: undefined }
      },
    },
    sessions: replayed.recorder({
      opened: nothing,
      happened: nothing,
      closed: ({ transcript }) => {
        noting(() => asked.mustHide(transcript))
        for (const { state } of readTranscript(transcript)?.steps ?? []) reached.add(`smtpSession ${state}`)
      },
    }),
    refused: nothing,
    putOff: nothing,
    flight: octetsInFlight(() => Infinity),
    limits,
    logger: { info: note, warn: note, error: (fields) => void defects.push(fields) },
    clock: systemClock,
    // The maps that are the server's.
    running: running as SmtpShared['running'],
    open: new Set(),
  }
  const said = asked.said((secured ?? openings[opening] ?? '') + octets)
  const peer = peerSaying(piecesOf({ octets: said, cuts }), (text) => noting(() => mustBeKept(text, kept)))
  const protocol = secured === undefined ? 'smtp' : 'smtps'
  const server = listeners[secured === undefined ? 'plain' : 'secure']
  const connection = new JournalConnection(server, peer.socket, shared, {
    protocol,
    socketOptions: null,
    leave: nothing,
  })
  connection.init()
  await connection.gone
  replayed.verify()
  assert.equal(defects, [])
  const heard = peer.heard()
  asked.mustHide(heard)
  return { heard: withoutIds(heard), mails }
}

/** Every 250 to the end of a message stands for one that is whole in the archive by then. */
const mustBeKept = (text: string, kept: Set<string>) => {
  for (const [, id = ''] of text.matchAll(/^250 2\.6\.0 (\S+) sealed and recorded\r$/gm))
    assert.ok(kept.delete(id), 'a message was acknowledged that is not there')
}

/** A journal sender's whole session, from every state: well-formed answers, the same in any segmentation. */
export const smtpSession = target<Session>(async (corpus) => {
  const reached = new Set<string>()
  const asked = await askedSenders()
  const world = { reached, asked }
  const afterwards = joined(sentence('$$', wordOf('\r\n.\r\n', '\r\n', '.\r\n'), smtpLine), 4)
  const login = sentence('$$', wordOf('AUTH PLAIN ', 'AUTH LOGIN ', ''), wordOf(...credentials))
  const octets = fc.oneof(
    spoilt(smtpDialogue(corpus.map((one) => one.octets))),
    spoilt(sentence('$$', content([]), afterwards)),
    sentence('BDAT $ LAST\r\n$', wordOf('3', '10', '0'), afterwards),
    sentence('$\r\n$', login, afterwards),
  )
  const drawn = segmented(octets)
  return {
    inputs: fc
      .record({
        opening: fc.constantFrom(...Object.keys({ ...openings, ...securedOpenings })),
        asks: fc.constantFrom(...Object.keys(asking)),
        drawn,
      })
      .map(({ drawn, ...rest }) => ({ ...drawn, ...rest })),
    costs: 500,
    states: { known: statesKnown('smtpSession'), reached },
    check: async (input) => {
      const inPieces = await lived(input, world)
      const [clear = '', ...secured] = inPieces.heard.split(/(?<=Ready to start TLS\r\n)/)
      mustBeSmtp(clear)
      // What stands behind STARTTLS is dropped if it came with it, and else no TLS: there the segments do matter.
      if (secured.length > 0 || clear.endsWith('TLS\r\n')) return
      assert.equal(await lived({ ...input, cuts: [] }, world), inPieces)
    },
    close: () => asked.close(),
  }
})
