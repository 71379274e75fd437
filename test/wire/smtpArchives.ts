import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { until } from '../support/until.ts'
import { drain, type OnMail, type TestSmtp } from './smtpTestServer.ts'

/** Keeps how the reading of each body ended: how many octets it had, or with which error. */
export const witness = () => {
  const endings: (number | string)[] = []
  const onMail: OnMail = async (_, body) => {
    try {
      endings.push(await drain(body))
    } catch (error) {
      endings.push(error instanceof GatewayError ? error.code : String(error))
      throw error
    }
  }
  return { endings, onMail }
}

/** Takes its time, and does not know in the end. */
export const unconfirmed: OnMail = async (_, body) => {
  await drain(body)
  await delay(100)
  throw new GatewayError('outcome-unknown')
}

/** Takes one piece of a body and no more until it is told to. */
export const slowArchive = () => {
  const goOn = Promise.withResolvers<undefined>()
  let read = 0
  const onMail: OnMail = async (_, body) => {
    for await (const piece of body) {
      read += piece.length
      await goOn.promise
    }
  }
  return { onMail, read: () => read, goOn: () => goOn.resolve(undefined) }
}

type Content = { readonly before: string; readonly piece: Uint8Array; readonly octets: number; readonly end: string }

/** A peer sends pieces of so many octets of content without end, until it is stopped; then the archive goes on, and it too. */
export const isSlowedDown = async (
  { port }: TestSmtp,
  archive: ReturnType<typeof slowArchive>,
  { before, piece, octets, end }: Content,
): Promise<void> => {
  const socket = connect(port, '127.0.0.1')
  socket.write(before)
  socket.resume()
  let sent = 0
  while (sent < 60_000_000) {
    sent += octets
    if (socket.write(piece)) continue
    const drained = new Promise<boolean>((resolve) => socket.once('drain', () => resolve(true)))
    if (!(await Promise.race([drained, delay(500, false, { ref: false })]))) break
  }
  // What the two kernel buffers and ours hold, not the whole.
  assert.ok(sent < 30_000_000, `${sent} octets were taken`)
  assert.ok(archive.read() <= octets)
  archive.goOn()
  await new Promise((resolve) => socket.once('drain', resolve))
  socket.write(end)
  await until(() => archive.read() >= sent)
  socket.destroy()
}
