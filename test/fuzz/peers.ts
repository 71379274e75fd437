import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import * as assert from 'uvu/assert'
import { bufferOf, textOf } from './octets.ts'

/** A peer that says these pieces, each on its own, then has said everything; and what it has heard, which `hear` is told at once. */
export const peerSaying = (pieces: readonly string[], hear: (text: string) => void = () => undefined) => {
  const left = [...pieces]
  const heard: Buffer[] = []
  const socket = new Duplex({
    readableHighWaterMark: 1,
    read() {
      const next = left.shift()
      setImmediate(() => this.push(next === undefined ? null : bufferOf(next)))
    },
    write: (chunk: Buffer, _encoding, next) => {
      heard.push(chunk)
      hear(textOf(chunk))
      next()
    },
  })
  socket.on('error', () => socket.destroy())
  // What is used of a socket beyond a stream.
  const asSocket = Object.assign(socket, {
    setTimeout: () => socket,
    setNoDelay: () => socket,
    remoteAddress: '192.0.2.1',
  })
  return { socket: asSocket as unknown as Socket, heard: () => textOf(Buffer.concat(heard)) }
}

const uuid = /[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[\da-f]{4}-[\da-f]{12}/g
const date = /\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000/g
/** What is another one in every session. */
export const withoutIds = (text: string) => text.replaceAll(uuid, 'id').replaceAll(date, 'date')

/** Replies that any client can read (RFC 5321 §4.2, lines of at most 512 octets with their ends). */
export const mustBeSmtp = (heard: string) => {
  assert.match(
    heard,
    /^(?:(?:[2-5]\d\d-[\x20-\x7e]*\r\n)*[2-5]\d\d [\x20-\x7e]*\r\n)+$/,
    'these are no replies of SMTP',
  )
  for (const line of heard.split('\r\n')) assert.ok(line.length <= 510)
}

/** A remote server's text is passed on, whatever characters it is of. What stands behind the consent to TLS is not looked at. */
export const mustBeProxiedSmtp = (heard: string) =>
  assert.match(
    heard.split(/(?<=Ready to start TLS\r\n)/)[0] ?? '',
    /^(?:(?:[2-5]\d\d-[^\0\r\n]*\r\n)*[2-5]\d\d [^\0\r\n]*\r\n)*$/,
    'these are no replies of SMTP',
  )
