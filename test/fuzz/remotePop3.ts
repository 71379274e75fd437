import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { pop3Remote } from '../../src/proxy/pop3Remote.ts'
import { multiLineReply } from '../../src/wire/multiLine.ts'
import { bufferOf, piecesOf, type Segmented, segmented, spoilt, textOf } from './octets.ts'
import { pop3Replies } from './remoteWords.ts'
import { target } from './target.ts'

type Remote = Segmented & {
  /** Which of the replies are read as having many lines. */
  readonly listings: readonly boolean[]
}

/** A connection on which these pieces come, each on its own, and then the end. */
const connectionWith = (pieces: readonly string[]): Socket => {
  const left = [...pieces]
  const socket = new Duplex({
    readableHighWaterMark: 1,
    read() {
      const next = left.shift()
      setImmediate(() => this.push(next === undefined ? null : bufferOf(next)))
    },
    write: (_chunk, _encoding, next) => next(),
  })
  // What is used of a socket beyond that is its idle time.
  return Object.assign(socket, { setTimeout: () => socket }) as unknown as Socket
}

/** Everything that is heard until the connection has failed. */
const heard = async ({ listings, ...said }: Remote): Promise<readonly string[]> => {
  const socket = connectionWith(piecesOf(said))
  socket.on('error', () => socket.destroy())
  const dialled = { socket, secure: true, address: '192.0.2.1', port: 995, startTls: () => Promise.reject(new Error()) }
  const remote = pop3Remote(dialled, { server: 'pop.example.net', answerTimeout: 60 }, { gone: () => undefined })
  const found: string[] = []
  try {
    for (let reply = 0; ; reply += 1) {
      const status = await remote.status()
      const line = textOf(remote.statusLine())
      assert.ok(line.endsWith('\r\n') && line.length <= 4098 && !line.slice(0, -2).includes('\n'))
      found.push(`${status} ${line}`)
      if (status !== 'ok' || listings[reply] !== true) continue
      let content = ''
      for (const many = multiLineReply(); ;) {
        const piece = many.push(await remote.chunk())
        content += piece.content.map(textOf).join('')
        if (piece.rest === undefined) continue
        remote.giveBack(piece.rest)
        break
      }
      found.push(content)
    }
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    assert.is(error.code, 'proxy-lost')
    remote.destroy()
    return [...found, error.message]
  }
}

/** A connection to a POP3 server that says what no server says: it ends, and what was heard does not depend on segments. */
export const remotePop3 = target<Remote>((corpus) => ({
  inputs: fc
    .tuple(
      segmented(spoilt(fc.oneof(pop3Replies, fc.constantFrom(...corpus.map(({ octets }) => octets))))),
      fc.array(fc.boolean(), { maxLength: 6 }),
    )
    .map(([said, listings]) => ({ ...said, listings })),
  costs: 100,
  check: async (input) => {
    assert.equal(await heard(input), await heard({ ...input, cuts: [] }))
  },
}))
