import * as assert from 'uvu/assert'
import { parseCommandLine } from '../../src/smtp/commandLine.ts'
import { lineReader } from '../../src/smtp/lineReader.ts'
import { lineFor, maxSubmittedLine, parseSubmittedLine } from '../../src/smtp/submittedCommand.ts'
import { submittedLogin } from '../../src/smtp/submittedLogin.ts'
import { submissionTraceHeader, traceHeader } from '../../src/smtp/trace.ts'
import { bufferOf, piecesOf, type Segmented, segmented, spoilt, textOf } from './octets.ts'
import { smtpDialogue } from './smtpWords.ts'
import { target } from './target.ts'

/** Lines of one input that are looked at. */
const mostLines = 30
const everything = { size: 0, eightBit: true, smtpUtf8: true, dsn: true }
const passage = {
  remoteAddress: '192.0.2.7',
  domain: 'gateway.example',
  extended: true,
  smtpUtf8: false,
  authenticated: false,
  tls: null,
  messageId: '01980000-0000-7000-8000-000000000001' as never,
  sessionId: '01980000-0000-7000-8000-000000000002' as never,
  at: new Date(0),
}

/** What the octets say, by the plainest means. */
const linesIn = (octets: string) =>
  octets
    .split('\r\n')
    .slice(0, -1)
    .map((line) => (line.length > maxSubmittedLine ? undefined : line))

const linesRead = (input: Segmented) => {
  const reader = lineReader(maxSubmittedLine)
  const lines: (string | undefined)[] = []
  for (const piece of piecesOf(input).map(bufferOf))
    for (let at = 0; ;) {
      const read = reader.read(piece, at)
      if (read.is === 'partial' || read.is === 'endless') break
      lines.push(read.is === 'line' ? textOf(read.line) : undefined)
      at = read.next
    }
  return lines
}

/** One line of visible text: nobody who gets it takes it for two. */
const isOneLine = (text: string) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)
/** Header fields that stand there, folded lines put together (RFC 5322 §2.2.3). */
const fieldsOf = (header: Uint8Array) => {
  const text = Buffer.from(header).toString()
  assert.ok(text.endsWith('\r\n') && !/(?<!\r)\n|\r(?!\n)/.test(text), 'lines of a trace end in CRLF')
  const fields = text.replaceAll('\r\n\t', ' ').split('\r\n').slice(0, -1)
  for (const field of fields) assert.match(field, /^[A-Za-z\-]+: /)
  return fields.map((field) => field.split(':')[0])
}

const checkCommand = (line: string) => {
  const command = parseCommandLine(bufferOf(line))
  if (command.verb === 'hello') {
    assert.match(command.name, /^[!-~]+$/)
    const trace = { ...passage, helloName: command.name, reversePath: '', mailboxAddress: 'a@b', recipient: undefined }
    assert.equal(fieldsOf(traceHeader(trace)), ['Return-Path', 'Delivered-To', 'Received'])
  }
  if (command.verb === 'mail') assert.ok(isOneLine(command.reversePath) && Number.isFinite(command.size))
  if (command.verb === 'rcpt') assert.ok(isOneLine(command.typed))
  if (command.verb === 'bdat') assert.ok(command.size >= 0 && Number.isInteger(command.size))
}

/** What is passed on means to the next server what it meant here. */
const checkSubmitted = (line: string) => {
  const command = parseSubmittedLine(bufferOf(line))
  if (command.verb !== 'mail' && command.verb !== 'rcpt') return
  const passedOn = lineFor(command, everything)
  assert.ok(isOneLine(passedOn), `${JSON.stringify(passedOn)} is passed on`)
  // A path behind a source route that begins like one: the next server is asked what that is, for here it is nothing.
  if (passedOn.includes(':<@')) return
  // A source route is not passed on; what else is in it does not matter any more.
  const { ascii } = { ascii: true, ...command }
  assert.equal({ ...parseSubmittedLine(Buffer.from(passedOn)), ascii }, { ascii, ...command })
  const [reversePath, recipients] = command.verb === 'mail' ? [command.reversePath, []] : ['', [command.typed]]
  const fields = fieldsOf(submissionTraceHeader({ ...passage, helloName: 'x', reversePath, recipients }))
  assert.is(fields.length, 2 + recipients.length)
}

const checkLogin = (lines: readonly string[]) => {
  const login = submittedLogin()
  for (const line of lines) {
    if (/^auth/i.test(line)) login.auth(bufferOf(line))
    else login.response(bufferOf(line))
    const credentials = login.take()
    if (!credentials) continue
    assert.match(credentials.message('someone').reveal(), /^[A-Za-z0-9+/=]+$/)
  }
}

/** Command lines of SMTP: where they end, what they mean, and what of them goes further. */
export const smtpCommands = target<Segmented>((corpus) => ({
  inputs: segmented(spoilt(smtpDialogue(corpus.map(({ octets }) => octets)))),
  costs: 20,
  check: (input) => {
    const lines = linesRead(input)
    assert.is(JSON.stringify(lines), JSON.stringify(linesIn(input.octets)))
    const known = lines.filter((line) => line !== undefined).slice(0, mostLines)
    known.forEach(checkCommand)
    known.forEach(checkSubmitted)
    checkLogin(known)
  },
}))
