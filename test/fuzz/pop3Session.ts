import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { readTranscript } from '../../actors/readTranscript.ts'
import { stored, type StoredMessage } from '../wire/memoryMaildrops.ts'
import { password, pop3With } from '../wire/pop3Transcript.ts'
import { bufferOf, joined, piecesOf, type Segmented, segmented, sentence, spoilt, textOf } from './octets.ts'
import { withoutIds } from './peers.ts'
import { pop3Dialogue, pop3Line } from './pop3Words.ts'
import { statesKnown } from './states.ts'
import { target } from './target.ts'

/** What leads a session into each state in which its peer may speak. */
const openings: Readonly<Record<string, string>> = {
  anonymous: '',
  named: 'USER alice\r\n',
  challenged: 'AUTH PLAIN\r\n',
  open: `USER alice\r\nPASS ${password}\r\n`,
  marked: `USER alice\r\nPASS ${password}\r\nDELE 1\r\n`,
}

type Session = Segmented & { readonly opening: string }

const mails = [
  'Subject: first\r\n\r\n.\r\n..\r\nbare\nlines\n.\nend\r\n',
  'Subject: empty\r\n\r\n',
  `no header at all\0\xff\r\n.${'x'.repeat(3000)}`,
  // Larger than what is read to its end before it is sent.
  `Subject: large\r\n\r\n${'.a line\n'.repeat(40_000)}`,
]

/** As they are on the wire, without the end of the reply: line ends made CRLF, dots doubled (RFC 1939 §3). */
const onTheWire = mails.map((mail) => mail.replaceAll(/(?<!\r)\n/g, '\r\n').replace(/(?<!\r\n)$/, '\r\n'))
const stuffed = onTheWire.map((mail) => mail.replaceAll(/^\./gm, '..'))

/** Lines end in CRLF, and what follows a size is the message of that size, or its beginning. */
const mustBePop3 = (heard: string) => {
  assert.ok(heard.endsWith('\r\n') && !/(?<!\r)\n/.test(heard), 'lines end in CRLF')
  assert.match(heard, /^\+OK gateway\.example /)
  for (const { 1: octets, index, 0: status } of heard.matchAll(/^\+OK (\d+) octets\r\n/gm)) {
    const mail = stuffed[onTheWire.findIndex(({ length }) => length === Number(octets))]
    const reply = heard.slice(index + status.length)
    const end = reply.startsWith('.\r\n') ? 0 : reply.indexOf('\r\n.\r\n') + 2
    assert.ok(mail?.startsWith(reply.slice(0, end)), 'what is sent is the message')
  }
}

/** A collector's whole session, from every state: well-formed answers, the same in any segmentation. */
export const pop3Session = target<Session>(async (corpus) => {
  const reached = new Set<string>()
  const maildrop: StoredMessage[] = []
  const fixture = await pop3With(maildrop)
  const say = async (pieces: readonly string[]) => {
    maildrop.splice(0, Infinity, ...mails.map((octets) => stored(octets)))
    const from = fixture.seen.ends.length
    const socket: TLSSocket = connect({ port: fixture.secure, host: '127.0.0.1', rejectUnauthorized: false })
    const heard: Buffer[] = []
    socket.setNoDelay()
    socket.on('data', (chunk: Buffer) => heard.push(chunk)).on('error', () => socket.destroy())
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await once(socket, 'secureConnect')
    for (const piece of pieces) {
      socket.write(bufferOf(piece))
      await new Promise((resolve) => setImmediate(resolve))
    }
    // Without QUIT nothing is deleted: a peer that says no more is asked to, and one that has gone does not mind.
    socket.write('\r\nQUIT\r\n')
    await closed
    // A session may outlive its connection by what it was at.
    for (let turn = 0; fixture.isLocked() && turn < 2000; turn++) await delay(1)
    for (const { transcript } of fixture.seen.ends.slice(from))
      for (const { state } of readTranscript(transcript)?.steps ?? []) reached.add(`pop3Session ${state}`)
    return { heard: withoutIds(textOf(Buffer.concat(heard))), left: maildrop.length }
  }
  const octets = fc.oneof(
    spoilt(pop3Dialogue(corpus.map((one) => one.octets))),
    joined(sentence('$\r\n', pop3Line), 12),
  )
  return {
    inputs: fc
      .record({ opening: fc.constantFrom(...Object.keys(openings)), said: segmented(octets) })
      .map(({ opening, said }) => ({ opening, ...said })),
    costs: 300,
    states: { known: statesKnown('pop3Session'), reached },
    check: async ({ opening, octets, cuts }) => {
      const { facts, ends, refused, logged } = fixture.seen
      for (const noted of [facts, ends, refused, logged]) noted.length = 0
      const all = (openings[opening] ?? '') + octets
      const inPieces = await say(piecesOf({ octets: all, cuts }).slice(0, 500))
      mustBePop3(inPieces.heard)
      assert.equal(await say([all]), inPieces)
      assert.equal(
        fixture.seen.logged.filter((line) => line.includes('defect')),
        [],
      )
      assert.not.ok(fixture.isLocked(), 'the maildrop is free again')
    },
    close: () => fixture.server.close(0),
  }
})
