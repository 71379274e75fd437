import { lineReader } from '../wire/lines.ts'

/** Octets of a line of a reply; RFC 5321 §4.5.3.1.5 has 512, and some servers say more. */
const maxLine = 4096
/** Lines of one reply. */
const maxLines = 100

export type RemoteReply = {
  readonly code: number
  /** What stands behind the code of each line; one character per octet. */
  readonly texts: readonly string[]
  /** All of it as it came, each line with its CRLF. */
  readonly octets: Buffer
}

/** A remote server's octets as replies (RFC 5321 §4.2.1). */
export type ReplyReader = {
  push(chunk: Buffer): void
  /** The next reply, or undefined when it has not wholly arrived. After `nonsense` no reply can come any more. */
  take(): RemoteReply | 'nonsense' | undefined
  /** Octets that belong to no reply that was taken. */
  waiting(): number
}

// No CR, LF or NUL within a line: the client would take it for more than one.
const form = /^([2-5]\d\d)(?:([ \-])([^\0\r\n]*))?$/

export const replyReader = (): ReplyReader => {
  const lines = lineReader()
  let code: string | undefined
  let texts: string[] = []

  const take = (): RemoteReply | 'nonsense' | undefined => {
    for (;;) {
      const line = lines.take(maxLine)
      if (line === undefined) return undefined
      const [, own, separator, text = ''] = line === 'too-long' ? [] : (form.exec(line.toString('latin1')) ?? [])
      if (own === undefined || (code !== undefined && own !== code) || texts.length >= maxLines) return 'nonsense'
      code = own
      texts.push(text)
      if (separator !== '-') return ended()
    }
  }
  const ended = (): RemoteReply => {
    const reply = { code: Number(code), texts, octets: octetsOf(code ?? '', texts) }
    code = undefined
    texts = []
    return reply
  }
  return { push: (chunk) => lines.push(chunk), take, waiting: () => lines.waiting() + texts.length }
}

const octetsOf = (code: string, texts: readonly string[]) =>
  Buffer.from(
    texts.map((text, index) => `${code}${index < texts.length - 1 ? '-' : ' '}${text}\r\n`).join(''),
    'latin1',
  )
