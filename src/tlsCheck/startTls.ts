import { once } from 'node:events'
import type { Socket } from 'node:net'

/** What is said before TLS. */
export type Dialect = 'smtp' | 'pop3'

/** Octets of one reply. */
const longestReply = 16 * 1024

/** Says what leads to TLS (RFC 3207, RFC 2595). Rejects when the server does not offer or not do it. */
export const startTls = async (socket: Socket, dialect: Dialect): Promise<void> => {
  const reply = async () => {
    let text = ''
    // RFC 5321 §4.2.1: the last line has a space behind its code.
    while (!(dialect === 'smtp' ? /^\d{3}(?: .*)?\r?\n/m : /\n/).test(text)) {
      const [chunk] = (await once(socket, 'data')) as unknown as readonly [Buffer]
      text += chunk.toString('latin1')
      if (text.length > longestReply) throw new Error('it talks without an end')
    }
    return text
  }
  const ask = async (line: string) => {
    socket.write(`${line}\r\n`)
    return reply()
  }
  if (dialect === 'pop3') {
    expect(await reply(), /^\+OK/)
    expect(await ask('STLS'), /^\+OK/)
    return
  }
  expect(await reply(), /^220/)
  const offers = await ask('EHLO tls-check.invalid')
  expect(offers, /^250/)
  if (!/^250[ -]STARTTLS\s*$/im.test(offers)) throw new Error('it does not offer STARTTLS')
  expect(await ask('STARTTLS'), /^220/)
}

const expect = (reply: string, wanted: RegExp) => {
  if (!wanted.test(reply))
    throw new Error(`it says "${(reply.split(/\r?\n/)[0] ?? '').replaceAll(/[^ -~]/g, '?').slice(0, 100)}"`)
}
