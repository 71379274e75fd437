import * as assert from 'uvu/assert'
import { pop3Serving, type ProviderOptions } from '../support/pop3Provider.ts'
import { silence } from '../support/smtpProvider.ts'
import { wires } from './dialled.ts'
import { bufferOf } from './octets.ts'
import { type Answers, gone, last } from './proxied.ts'

/** The client's servers, and what is uncommon about them. */
export const servers: Readonly<Record<string, Omit<ProviderOptions, 'key' | 'cert'>>> = {
  'pop.example.net': {},
  'upgraded.example.net': { tls: 'upgrade' },
  'clear.example.net': { tls: 'none' },
  'bare.example.net': { lineEnd: '\n' },
  'idless.example.net': { withoutUidl: true },
}
const mails = [
  'Subject: first\r\n\r\n.\r\n..\r\nend\r\n',
  // More than is held back.
  `Subject: large\r\n\r\n${'.a line\r\n'.repeat(8000)}`,
  'Subject: empty\r\n\r\n',
]
const stuffed = mails.map((mail) => mail.replaceAll(/^\./gm, '..'))

/** What ends what is waited for, whatever that is. */
export const isWhole = (answer: string | null) =>
  answer === null ||
  answer === gone ||
  answer === last ||
  /^(?:-ERR[^\r\n]*|\+OK[^\r\n]*\r\n(?:.*\r\n)?\.)$/s.test(answer)

/** A client's POP3 server of any kind, and what it must not hear. */
export const hostilePop3 = (answers: Answers, copies: () => number) => {
  const wrong: string[] = []
  const heard: string[] = []
  const marked = new Set<string>()
  let asked = 0
  const dial = (options: (typeof servers)[string]) => {
    const { tls = 'implicit' } = options
    const { dial, upgrade, isUpgraded } = wires()
    const { serving, serve } = pop3Serving(options, upgrade)
    serving.mails = mails.map((text, at) => ({ uidl: `uidl-${at}`, octets: bufferOf(text) }))
    serving.answer = (line, socket) => {
      heard.push(line)
      if (/[\0\r]/.test(line)) wrong.push(`a line within a line: ${line}`)
      if (tls !== 'implicit' && !isUpgraded(socket) && !/^(?:|CAPA|STLS|QUIT)$/.test(line))
        wrong.push(`said without TLS: ${line}`)
      if (/^\s*DELE\s+\S/i.test(line)) marked.add(line)
      if (marked.size > copies()) wrong.push(`deletes what is not kept: ${line}`)
      const answer = answers[asked++] ?? undefined
      if (answer === last) setImmediate(() => socket.destroy())
      if (answer === gone) socket.destroy()
      if (answer === gone || answer === silence) return null
      return answer === last ? undefined : answer
    }
    return dial(serve, tls === 'implicit')
  }
  return { dial, heard, mustBeContent: () => assert.equal(wrong, []) }
}

/** Of an honest server: what comes to its end is a message of its, and there is a copy. */
export const mustBeMail = (heard: string, copies: number) => {
  const whole = [...heard.matchAll(/^\+OK message follows\r\n((?:(?!\.\r\n).*\r\n)*?)\.\r\n/gm)].map(
    ([, mail]) => mail ?? '',
  )
  for (const mail of whole) assert.ok(stuffed.includes(mail), `no message of the server's: ${mail.slice(0, 100)}`)
  assert.ok(new Set(whole).size <= copies, 'what the client has whole is kept')
}
