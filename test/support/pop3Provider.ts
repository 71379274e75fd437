import type { Socket } from 'node:net'
import { listenAsProvider, securing } from './providerServer.ts'

export type ProviderMail = { readonly uidl: string; readonly octets: Buffer }

/** What a provider says in the place of its usual answer to a line: null for nothing, undefined for that answer. */
export type Answer = (line: string, socket: Socket) => string | null | undefined

export type ProviderOptions = {
  /** PEM. */
  readonly key: string
  readonly cert: string
  /** TLS from the first octet, after STLS, or never. */
  readonly tls?: 'implicit' | 'upgrade' | 'none'
  readonly greeting?: string
  readonly capabilities?: readonly string[] | undefined
  readonly withoutUidl?: boolean
  /** What ends its lines. */
  readonly lineEnd?: '\r\n' | '\n'
}

/** A POP3 server that notes what it hears and may do what no real one does when it is asked. */
export type Provider = Pop3Serving & {
  readonly port: number
  /** Resolves when no connection is open. */
  idle(): Promise<void>
  close(): Promise<void>
}

/** The same without a listener. */
export type Pop3Serving = {
  /** Every line that it has heard, of all connections. */
  readonly heard: string[]
  mails: ProviderMail[]
  /** Before its usual answers; the greeting is asked for as ''. */
  answer: Answer
  /** Unique ids whose deletion has taken effect. */
  readonly deleted: string[]
}

const usualCapabilities = ['TOP', 'UIDL', 'USER', 'SASL PLAIN XOAUTH2 OAUTHBEARER', 'UTF8', 'LANG', 'EXPIRE NEVER']

const stuffed = (octets: Buffer) => {
  const text = octets.toString('latin1')
  return (text.startsWith('.') ? '.' : '') + text.replaceAll('\r\n.', '\r\n..')
}

export const startProvider = async ({ key, cert, ...options }: ProviderOptions): Promise<Provider> => {
  const secure = securing({ key, cert })
  const { tls = 'implicit' } = options
  const { serving, serve } = pop3Serving(options, secure)
  return Object.assign(serving, await listenAsProvider({ secure, implicit: tls === 'implicit' }, serve))
}

/** A POP3 server on any connection that it is given; `secure` gives the one that is used after STLS. */
export const pop3Serving = (options: Omit<ProviderOptions, 'key' | 'cert'>, secure: (socket: Socket) => Socket) => {
  const { tls = 'implicit', lineEnd = '\r\n', capabilities = usualCapabilities } = options
  const serving: Pop3Serving = {
    heard: [],
    mails: [],
    deleted: [],
    answer: () => undefined,
  }

  const usual = (line: string, state: { deleted: Set<number>; auth: boolean }): string => {
    const [verb = '', first = '', second = ''] = line.split(' ')
    const mail = serving.mails[Number(first) - 1]
    if (state.auth) {
      state.auth = false
      return '+OK logged in by SASL'
    }
    switch (verb.toUpperCase()) {
      case '':
        return options.greeting ?? '+OK provider ready'
      case 'CAPA':
        return ['+OK capabilities', ...capabilities, ...(tls === 'upgrade' ? ['STLS'] : []), '.'].join('\r\n')
      case 'USER':
        return '+OK user'
      case 'PASS':
        return '+OK logged in'
      case 'AUTH':
        state.auth = true
        return '+ '
      case 'NOOP':
      case 'RSET':
        state.deleted.clear()
        return '+OK'
      case 'STAT':
        return `+OK ${serving.mails.length} 1000`
      case 'UIDL':
        if (options.withoutUidl) return '-ERR no such command'
        if (first === '') return ['+OK', ...serving.mails.map(({ uidl }, at) => `${at + 1} ${uidl}`), '.'].join('\r\n')
        return mail ? `+OK ${first} ${mail.uidl}` : '-ERR no such message'
      case 'LIST':
        if (first !== '') return mail ? `+OK ${first} ${mail.octets.length}` : '-ERR no such message'
        return ['+OK', ...serving.mails.map(({ octets }, at) => `${at + 1} ${octets.length}`), '.'].join('\r\n')
      case 'RETR':
        return mail ? `+OK message follows\r\n${stuffed(mail.octets)}.` : '-ERR no such message here'
      case 'TOP':
        return mail ? `+OK top follows\r\n${stuffed(topOf(mail.octets, Number(second)))}.` : '-ERR no such message here'
      case 'DELE':
        state.deleted.add(Number(first))
        return '+OK marked'
      case 'QUIT':
        for (const number of state.deleted) serving.deleted.push(serving.mails[number - 1]?.uidl ?? '')
        return '+OK bye'
      default:
        return '-ERR what?'
    }
  }

  const serveOn = (socket: Socket, isSecure: boolean) => {
    const state = { deleted: new Set<number>(), auth: false }
    let buffered = ''
    const say = (line: string, own: ReturnType<Answer>) => {
      if (own === null) return
      const text = own ?? usual(line, state)
      socket.write(Buffer.from(`${text}\r\n`.replaceAll('\r\n', lineEnd), 'latin1'))
      if (own === undefined && line.toUpperCase() === 'QUIT') socket.end()
    }
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      buffered += chunk.toString('latin1')
      for (let at = buffered.indexOf('\n'); at >= 0; at = buffered.indexOf('\n')) {
        const line = buffered.slice(0, at).replace(/\r$/, '')
        buffered = buffered.slice(at + 1)
        serving.heard.push(line)
        const own = serving.answer(line, socket)
        if (tls === 'upgrade' && line === 'STLS' && !isSecure && own === undefined) {
          socket.write('+OK begin TLS\r\n', () => {
            socket.removeAllListeners('data')
            serveOn(secure(socket), true)
          })
          return
        }
        say(line, own)
      }
    })
    if (tls !== 'upgrade' || !isSecure) say('', serving.answer('', socket))
  }
  return { serving, serve: (socket: Socket) => serveOn(socket, tls === 'implicit') }
}

/** RFC 1939 §7. */
const topOf = (octets: Buffer, lines: number) => {
  const text = octets.toString('latin1')
  const at = text.indexOf('\r\n\r\n') + 4
  const body = text.slice(at).split('\r\n')
  const last = body.pop() ?? ''
  const kept = [...body, ...(last === '' ? [] : [last])].slice(0, lines)
  return Buffer.from(text.slice(0, at) + kept.map((line) => `${line}\r\n`).join(''), 'latin1')
}
