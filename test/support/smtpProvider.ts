import type { Socket } from 'node:net'
import { listenAsProvider, securing } from './providerServer.ts'

/** One message as the provider has taken it. */
export type SmtpMail = {
  /** The arguments of MAIL and of each RCPT that it accepted. */
  readonly from: string
  readonly to: readonly string[]
  /** Every octet between its 354 and the final dot. */
  readonly wire: Buffer
  /** The same without stuffed dots. */
  readonly octets: Buffer
}

/** What a provider does in the place of its usual answer to a line, or at the end of a message (`.`). */
export type SmtpAnswer = (line: string, socket: Socket) => string | undefined

/** In the place of an answer: none comes, or it has been seen to. */
export const silence = 'silence'

export type SmtpProviderOptions = {
  /** PEM. */
  readonly key: string
  readonly cert: string
  /** TLS from the first octet, after STARTTLS, or never. */
  readonly tls?: 'implicit' | 'upgrade' | 'none'
  /** What it offers in EHLO. */
  readonly extensions?: readonly string[]
}

/** An SMTP server that notes what it hears and may do what no real one does when it is asked. */
export type SmtpProvider = SmtpServing & {
  readonly port: number
  /** Resolves when no connection is open. */
  idle(): Promise<void>
  close(): Promise<void>
}

/** The same without a listener. */
export type SmtpServing = {
  /** Every line that it has heard outside messages, of all connections. */
  readonly heard: string[]
  readonly mails: SmtpMail[]
  /** Octets of messages whose end has not come. */
  readonly unended: Buffer[]
  /** Before its usual answers; the greeting is asked for as ''. */
  answer: SmtpAnswer
}

export const usualExtensions = [
  'SIZE 50000000',
  '8BITMIME',
  'SMTPUTF8',
  'DSN',
  'PIPELINING',
  'AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER',
  'ENHANCEDSTATUSCODES',
]
const end = '\r\n.\r\n'

type State = { from: string; to: string[]; expects: number; data: Buffer[] | undefined }

export const startSmtpProvider = async ({ key, cert, ...options }: SmtpProviderOptions): Promise<SmtpProvider> => {
  const secure = securing({ key, cert })
  const { tls = 'implicit' } = options
  const { serving, serve } = smtpServing(options, secure)
  return Object.assign(serving, await listenAsProvider({ secure, implicit: tls === 'implicit' }, serve))
}

/** An SMTP server on any connection that it is given; `secure` gives the one that is used after STARTTLS. */
export const smtpServing = (
  { tls = 'implicit', extensions = usualExtensions }: Pick<SmtpProviderOptions, 'tls' | 'extensions'>,
  secure: (socket: Socket) => Socket,
) => {
  const serving: SmtpServing = {
    heard: [],
    mails: [],
    unended: [],
    answer: () => undefined,
  }

  const usual = (line: string, state: State, secure: boolean): string => {
    const [verb = ''] = line.split(' ')
    const argument = line.slice(line.indexOf(':') + 1)
    if (state.expects > 0) return --state.expects > 0 ? '334 UGFzc3dvcmQ6' : '235 2.7.0 Welcome at the provider'
    switch (verb.toUpperCase()) {
      case '':
        return '220 provider ESMTP'
      case 'EHLO': {
        const offered = [...(tls === 'upgrade' && !secure ? ['STARTTLS'] : []), ...extensions]
        return ['provider at your service', ...offered].map((text, at) => `250${at < offered.length ? '-' : ' '}${text}`).join('\r\n') // prettier-ignore
      }
      case 'AUTH': {
        const [, mechanism, message] = line.split(' ')
        state.expects = message !== undefined ? 0 : mechanism === 'LOGIN' ? 2 : 1
        return message === undefined ? '334 ' : '235 2.7.0 Welcome at the provider'
      }
      case 'MAIL':
        Object.assign(state, { from: argument, to: [] })
        return '250-2.1.0 Sender\r\n250 2.1.0 taken'
      case 'RCPT':
        state.to.push(argument)
        return '250 2.1.5 Recipient taken'
      case 'DATA':
        state.data = []
        return '354 Go on, end with a dot'
      case '.':
        return '250 2.0.0 Taken as 4711'
      case 'RSET':
      case 'NOOP':
        return '250 2.0.0 Fine'
      case 'QUIT':
        return '221 2.0.0 Bye from the provider'
      default:
        return '500 5.5.2 What?'
    }
  }

  const serveOn = (socket: Socket, isSecure: boolean, greets = true) => {
    const state: State = { from: '', to: [], expects: 0, data: undefined }
    let buffered: Buffer = Buffer.alloc(0)
    const say = (line: string, own: ReturnType<SmtpAnswer>) => {
      if (own === silence) return
      if (line === 'DATA' && own?.startsWith('354') === true) state.data = []
      socket.write(Buffer.from(`${own ?? usual(line, state, isSecure)}\r\n`, 'latin1'))
      if (line === 'QUIT') socket.end()
    }
    const takeData = (pieces: Buffer[]) => {
      const before = Buffer.concat([Buffer.from('\r\n'), ...pieces.slice(-end.length)]).subarray(-(end.length - 1))
      const at = Buffer.concat([before, buffered]).indexOf(end)
      if (at < 0) {
        pieces.push(buffered)
        buffered = Buffer.alloc(0)
        return
      }
      // Its CRLF belongs to the message.
      const size = at + 2 - before.length
      const all = Buffer.concat(pieces)
      const wire = size < 0 ? all.subarray(0, size) : Buffer.concat([all, buffered.subarray(0, size)])
      buffered = buffered.subarray(size + 3)
      state.data = undefined
      const text = `\r\n${wire.toString('latin1')}`.replaceAll('\r\n.', '\r\n').slice(2)
      serving.mails.push({ from: state.from, to: [...state.to], wire, octets: Buffer.from(text, 'latin1') })
      say('.', serving.answer('.', socket))
    }
    const takeLine = (at: number) => {
      const line = buffered.subarray(0, at).toString('latin1')
      buffered = buffered.subarray(at + 2)
      serving.heard.push(line)
      const own = serving.answer(line, socket)
      if (tls === 'upgrade' && line === 'STARTTLS' && own === undefined) {
        socket.removeAllListeners('data')
        socket.write('220 2.0.0 Go on\r\n', () => serveOn(secure(socket), true, false))
      } else say(line, own)
    }
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      if (state.data !== undefined) serving.unended.push(Buffer.concat(state.data))
    })
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk])
      while (buffered.length > 0) {
        if (state.data !== undefined) takeData(state.data)
        else {
          const at = buffered.indexOf('\r\n')
          if (at < 0) return
          takeLine(at)
        }
      }
    })
    if (greets) say('', serving.answer('', socket))
  }
  return { serving, serve: (socket: Socket) => serveOn(socket, tls === 'implicit') }
}
