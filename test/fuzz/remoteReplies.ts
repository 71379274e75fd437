import * as assert from 'uvu/assert'
import { passedCapabilities, capableOf } from '../../src/proxy/pop3Capabilities.ts'
import { uniqueIds } from '../../src/proxy/pop3UniqueIds.ts'
import { offersIn } from '../../src/proxy/smtpOffers.ts'
import { replyReader } from '../../src/proxy/smtpReply.ts'
import { bufferOf, piecesOf, type Segmented, segmented, spoilt, textOf } from './octets.ts'
import { remoteDialogue } from './remoteWords.ts'
import { target } from './target.ts'

const wellFormed = /^(?:([2-5]\d\d)-[^\0\r\n]*\r\n)*([2-5]\d\d) [^\0\r\n]*\r\n$/

const repliesRead = (input: Segmented) => {
  const reader = replyReader()
  const replies: string[] = []
  for (const piece of piecesOf(input)) {
    reader.push(bufferOf(piece))
    for (let reply = reader.take(); reply !== undefined; reply = reader.take()) {
      if (reply === 'nonsense') return [...replies, reply]
      const octets = textOf(reply.octets)
      // It is passed on as it is: for the client it has to be one reply, with the code that the machine was told.
      assert.match(octets, wellFormed)
      assert.is(new Set(octets.match(/^\d{3}/gm)).size, 1)
      assert.is(Number(octets.slice(0, 3)), reply.code)
      const { extensions, mechanisms } = offersIn(reply.texts)
      assert.ok(extensions.size === undefined || Number.isSafeInteger(extensions.size))
      assert.ok(mechanisms.every((name) => /^[A-Z0-9]+$/.test(name)))
      replies.push(octets)
    }
  }
  return replies
}

/** A client is told nothing about logins, TLS or what changes the conversation. */
const checkCapabilities = (content: string) => {
  const passed = passedCapabilities(content)
  assert.match(passed, /^(?:[^\r\n]*\r\n)*$/s)
  const names = passed.split('\r\n').map((line) => line.split(' ')[0]?.toUpperCase())
  for (const hidden of ['STLS', 'SASL', 'USER', 'APOP', 'AUTH', 'UTF8', 'LANG']) assert.not.ok(names.includes(hidden))
  assert.is(names.filter((name) => name === 'PIPELINING').length, 1)
  assert.type(capableOf(content).user, 'boolean')
}

const idsHeard = (input: Segmented) => {
  const ids = uniqueIds()
  const listen = ids.listener()
  for (const piece of piecesOf(input)) listen(bufferOf(piece))
  return Array.from({ length: 5 }, (_, number) => ids.of(number))
}

/** What remote servers say: replies, what they offer, the ids of their messages. */
export const remoteReplies = target<Segmented>((corpus) => ({
  inputs: segmented(spoilt(remoteDialogue(corpus.map(({ octets }) => octets)))),
  costs: 20,
  check: (input) => {
    const whole = { ...input, cuts: [] }
    assert.is(JSON.stringify(repliesRead(input)), JSON.stringify(repliesRead(whole)))
    // A bare CR or LF never gets so far: `multiLineReply` and the reader of lines have seen to it.
    checkCapabilities(input.octets.replaceAll(/\r(?!\n)|(?<!\r)\n/g, ''))
    assert.equal(idsHeard(input), idsHeard(whole))
  },
}))
