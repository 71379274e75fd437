import type { Delivery, Receipt } from '../../src/archive.ts'
import type { Limits } from '../../src/config.ts'
import { GatewayError } from '../../src/core/errors.ts'
import type { SenderChecks } from '../../src/core/events.ts'
import type { MailboxId, Position } from '../../src/core/ids.ts'
import { anySender } from '../../src/core/senderPolicy.ts'
import { systemClock } from '../../src/core/ports.ts'
import type { SessionEnd } from '../../src/sessions.ts'
import type { Mailbox } from '../../src/smtp/recipient.ts'
import { type SmtpDeps, startSmtp } from '../../src/smtp/smtpServer.ts'
import { octetsInFlight } from '../../src/wire/flight.ts'
import { replayingSessions } from '../support/replayingSessions.ts'
import { openWire, type Wire } from '../support/wire.ts'
import { testCertificate } from './testCertificate.ts'

export const mailboxId = `mbx-${'1'.repeat(32)}` as MailboxId
export const address = `${mailboxId}@gateway.example`
const other = `mbx-${'2'.repeat(32)}` as MailboxId
export const otherAddress = `${other}@gateway.example`
const stopped = `mbx-${'3'.repeat(32)}` as MailboxId
export const suspendedAddress = `${stopped}@gateway.example`

const mailbox = (id: MailboxId, suspended = false): Mailbox => ({
  mailboxId: id,
  recipient: 'age1recipient',
  generation: 1,
  suspended,
})

/** Addresses as a gateway would resolve them: mailbox ids, and aliases of any domain. */
export const addressBook: ReadonlyMap<string, Mailbox> = new Map([
  [address, mailbox(mailboxId)],
  [otherAddress, mailbox(other)],
  [suspendedAddress, mailbox(stopped, true)],
  ['journal@customer.example', mailbox(mailboxId)],
  ['"of the firm"@customer.example', mailbox(mailboxId)],
  ['archive@[192.0.2.7]', mailbox(mailboxId)],
  ['archive@[ipv6:2001:db8::7]', mailbox(mailboxId)],
  ['archiv@xn--mnchen-3ya.example', mailbox(mailboxId)],
])

export type Mail = {
  readonly delivery: Delivery
  readonly trace: string
  readonly body: Buffer
  readonly checks: SenderChecks | undefined
}

export const limits: Limits = {
  messageSize: 100_000,
  recipients: 3,
  smtpSessions: 50,
  pop3Sessions: 50,
  sessionsPerClient: 50,
  messagesPerMinute: 100_000,
  smtpIdle: 300,
  senderChecks: 5,
  pop3Idle: 600,
  tlsHandshake: 60,
  slowestRate: 100,
  bytesInFlight: 64 * 1024 * 1024,
  logLag: 30,
  historyQuestions: 4,
  badCommands: 10,
  idleCommands: 1_000_000,
  maildropLease: 60,
  transcript: 64 * 1024,
  diskReserve: 0,
}

/** Nobody has a token for sending. */
export const nobody: SmtpDeps['senders'] = {
  offered: () => false,
  authenticate: () => Promise.reject(new GatewayError('password-wrong')),
  maySend: () => false,
}

/** What an archive does with a mail; rejects as an archive does. */
export type OnMail = (delivery: Delivery, body: AsyncIterable<Uint8Array>) => Promise<void>

type Wish = Partial<Omit<SmtpDeps, 'limits'>> & {
  readonly limits?: Partial<Limits>
  /** In place of reading the whole body and being content with it. */
  readonly onMail?: OnMail
}

/** The SMTP side alone, with an archive that remembers what it received. */
export const startTestSmtp = async (wish: Wish = {}) => {
  const { onMail, limits: wishedLimits, ...changed } = wish
  const certificate = await testCertificate()
  const mails: Mail[] = []
  const refusals: string[] = []
  const sessions: string[] = []
  const ends: SessionEnd[] = []
  const logged: unknown[] = []
  const replayed = replayingSessions()
  const keep = async (
    delivery: Delivery,
    body: AsyncIterable<Uint8Array>,
    checks?: Promise<SenderChecks | undefined>,
  ) => {
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(Uint8Array.from(chunk))
    const trace = Buffer.from(delivery.trace).toString()
    mails.push({ delivery, trace, body: Buffer.concat(chunks), checks: await checks })
  }
  const record = (...entry: unknown[]) => void logged.push(...entry)
  const smtp = await startSmtp({
    listeners: [
      { protocol: 'smtp', host: '127.0.0.1', port: 0 },
      { protocol: 'smtps', host: '127.0.0.1', port: 0 },
    ],
    loadBalancers: { networks: [], refused: () => undefined },
    domain: 'gateway.example',
    postmaster: mailboxId,
    tls: () => certificate,
    resolve: (wanted) => addressBook.get(wanted),
    senders: nobody,
    senderPolicy: () => anySender,
    current: undefined,
    checkSender: undefined,
    archive: {
      receive: async (delivery, body, checks): Promise<Receipt> => {
        await (onMail ?? keep)(delivery, body, checks)
        return { messageId: delivery.messageId, size: 0, wireSize: 0, position: '1' as Position, content: undefined }
      },
    },
    sessions: replayed.recorder({
      opened: ({ protocol, tls }) => void sessions.push(`opened ${protocol}${tls === null ? '' : ` ${tls.version}`}`),
      happened: ({ type }) => void sessions.push(type),
      closed: (end) => {
        sessions.push(`closed ${end.outcome}`)
        ends.push(end)
      },
    }),
    refused: (source, kind) => void refusals.push(`${source} ${kind}`),
    logger: { info: record, warn: record, error: record },
    clock: systemClock,
    putOff: () => undefined,
    flight: octetsInFlight(() => Infinity),
    ...changed,
    limits: { ...limits, ...wishedLimits },
  })
  const [plain, secure] = smtp.addresses
  return {
    smtp,
    port: plain?.port ?? 0,
    tlsPort: secure?.port ?? 0,
    mails,
    refusals,
    sessions,
    ends,
    logged,
    close: async () => {
      await smtp.close(0)
      replayed.verify()
    },
  }
}

export type TestSmtp = Awaited<ReturnType<typeof startTestSmtp>>

/**
 * Plays a transcript: `C:` lines are sent, neighbours in one segment; each `S:` line must be what comes next, where `*`
 * stands for anything.
 */
export const talk = async (wire: Wire, transcript: string): Promise<void> => {
  const lines = transcript.split('\n').map((line) => line.trim()).filter((line) => line !== '') // prettier-ignore
  let unsent = ''
  const flush = () => {
    if (unsent !== '') wire.send(unsent)
    unsent = ''
  }
  for (const line of lines) {
    const text = line.slice(3)
    if (line.startsWith('C:')) unsent += `${text}\r\n`
    else {
      flush()
      const heard = await wire.line()
      if (!matches(heard, text)) throw new Error(`expected ${text}, heard ${heard}`)
    }
  }
  flush()
}

const matches = (heard: string, wanted: string) => {
  const [start = '', end] = wanted.split('*')
  return end === undefined ? heard === wanted : heard.startsWith(start) && heard.endsWith(end)
}

/** Runs a test against a server of its own and leaves nothing open. */
export const withSmtp =
  (wish: Wish, run: (server: TestSmtp, wire: Wire) => Promise<void>, tls = false) =>
  async () => {
    const server = await startTestSmtp(wish)
    const wire = await openWire(tls ? server.tlsPort : server.port, { tls })
    try {
      await run(server, wire)
    } finally {
      wire.destroy()
      await server.close()
    }
  }

export const greeting = `
  S: 220 gateway.example ESMTP Sealpost
  C: EHLO client.example
  S: 250-gateway.example
  S: 250-PIPELINING
  S: 250-SIZE 100000
  S: 250-STARTTLS
  S: 250-8BITMIME
  S: 250-SMTPUTF8
  S: 250-CHUNKING
  S: 250 ENHANCEDSTATUSCODES`

export const transaction = `
  C: MAIL FROM:<sender@example.com>
  S: 250 2.1.0 Sender OK
  C: RCPT TO:<${address}>
  S: 250 2.1.5 Recipient OK
  C: DATA
  S: 354 End data with <CRLF>.<CRLF>`

export const first = (mails: readonly Mail[]): Mail => {
  const [mail] = mails
  if (mail === undefined) throw new Error('no mail was received')
  return mail
}

/** Reads a body to its end; gives its octets. */
export const drain = async (body: AsyncIterable<Uint8Array>): Promise<number> => {
  let octets = 0
  for await (const { length } of body) octets += length
  return octets
}
