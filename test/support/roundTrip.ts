import type { ScratchGateway } from '../../ops/scratchGateway.ts'

/** By which way the gateway has got a message. */
export type Source = 'journal' | 'smtp-proxy' | 'pop3-proxy'

/** The header lines that stand before what was received (RFC 5321 §4.4), as the documentation names them. */
const tracePrefixes: Readonly<Record<Source, RegExp>> = {
  journal: /^Return-Path: <[^\r\n]*>\r\nDelivered-To: [^\r\n]*\r\nReceived: [^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n/,
  'smtp-proxy':
    /^Received: [^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\nX-Sealpost-Envelope-From: [^\r\n]*\r\n(?:X-Sealpost-Envelope-To: [^\r\n]*\r\n)+/,
  'pop3-proxy': /^X-Sealpost-Source: [^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n/,
}

export const withoutTrace = (plaintext: Buffer): Buffer => withoutTraceOf('journal', plaintext)

export const withoutTraceOf = (source: Source, plaintext: Buffer): Buffer => {
  const prefix = tracePrefixes[source].exec(plaintext.toString('latin1'))
  if (!prefix) throw new Error(`no trace prefix: ${plaintext.toString('latin1').slice(0, 300)}`)
  return plaintext.subarray(prefix[0].length)
}

/** The documented rule of the POP3 wire: a bare LF becomes CRLF, a missing final CRLF is added. */
export const onTheWire = (plaintext: Buffer): Buffer => {
  const text = plaintext.toString('latin1').replace(/\r?\n/g, '\r\n')
  return Buffer.from(text === '' || text.endsWith('\r\n') ? text : `${text}\r\n`, 'latin1')
}

type MessageLine = {
  readonly messageId: string
  readonly size: number
  readonly wireSize: number
  readonly state: string
  readonly senderChecks: { readonly spf: string; readonly dkim: readonly string[] } | null
}
type MessagePage = { readonly messages: readonly MessageLine[]; readonly next: string | null }

export const messagesOf = async (gateway: ScratchGateway, mailbox: string): Promise<readonly MessageLine[]> => {
  const messages: MessageLine[] = []
  for (let after: readonly string[] = []; ;) {
    const printed = await gateway.command('message', 'list', '--mailbox', mailbox, ...after, '--json')
    const page = JSON.parse(printed) as MessagePage
    messages.push(...page.messages)
    if (page.next === null) return messages
    after = ['--after', page.next]
  }
}

type EventLine = {
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
  readonly metadata: { readonly principal: string; readonly source?: string }
}

export const eventsOf = async (gateway: ScratchGateway, ...filters: readonly string[]) =>
  (await gateway.command('events', ...filters))
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as EventLine)
