import * as assert from 'uvu/assert'
import { silence, smtpServing } from '../support/smtpProvider.ts'
import { wires } from './dialled.ts'
import { type Answers, gone, last } from './proxied.ts'

/** The client's servers: TLS comes first, after STARTTLS, or never. */
const servers = {
  'smtp.example.net': 'implicit',
  'upgraded.example.net': 'upgrade',
  'clear.example.net': 'none',
} as const
export const isServer = (name: string): name is keyof typeof servers => Object.hasOwn(servers, name)

/** What ends what is waited for. */
export const isWhole = (answer: string | null) =>
  answer === null || answer === gone || answer === last || /^(?:\d{3}-[^\r\n]*\r\n)*\d{3}(?: [^\r\n]*)?$/.test(answer)

/** A client's SMTP server of any kind, and what it must not hear. */
export const hostileSmtp = (answers: Answers, mustBeKept: (octets: string) => void) => {
  const mails: string[] = []
  const wrong: unknown[] = []
  let asked = 0
  const dial = (server: keyof typeof servers) => {
    const tls = servers[server]
    const { dial, upgrade, isUpgraded } = wires()
    const { serving, serve } = smtpServing({ tls }, upgrade)
    serving.answer = (line, socket) => {
      if (/[\0\r\n]/.test(line)) wrong.push(`a line within a line: ${line}`)
      if (tls !== 'implicit' && !isUpgraded(socket) && !/^(?:|EHLO .*|STARTTLS|QUIT)$/.test(line))
        wrong.push(`said without TLS: ${line}`)
      if (line === '.')
        try {
          const { wire, octets } = serving.mails.at(-1) ?? {}
          assert.not.match(wire?.toString('latin1') ?? '\0', /\0|(?<!\r)\n|\r(?!\n)/)
          mails.push(octets?.toString('latin1') ?? '')
          mustBeKept(mails.at(-1) ?? '')
        } catch (error) {
          wrong.push(error)
        }
      const answer = answers[asked++] ?? undefined
      if (answer === last) setImmediate(() => socket.destroy())
      if (answer === last) return undefined
      if (answer !== gone) return answer
      socket.destroy()
      return silence
    }
    return dial(serve, tls === 'implicit')
  }
  return { dial, mails, mustBeContent: () => assert.equal(wrong, []) }
}
