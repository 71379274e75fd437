import * as assert from 'uvu/assert'
import { pop3Words } from '../../src/proxy/pop3Words.ts'
import { passwordCredentials } from '../../src/proxy/sasl.ts'
import { parseCommand } from '../../src/pop3/commands.ts'
import { holdCredentials } from '../../src/pop3/credentials.ts'
import { proxiedEventOf } from '../../src/pop3/proxiedEvents.ts'
import { lineReader } from '../../src/wire/lines.ts'
import { bufferOf, piecesOf, type Segmented, segmented, spoilt, textOf } from './octets.ts'
import { pop3Dialogue } from './pop3Words.ts'
import { target } from './target.ts'

const limit = 255
/** Lines of one input that are looked at. */
const mostLines = 30

/** What the octets say, by the plainest means: what is too long ends the conversation. */
const linesIn = (octets: string) => {
  const lines: string[] = []
  const all = octets.split('\n')
  for (const [index, line] of all.entries()) {
    const whole = index < all.length - 1
    if (line.length + (whole ? 1 : 0) > limit) return { lines, tooLong: true }
    if (whole) lines.push(line.replace(/\r$/, ''))
  }
  return { lines, tooLong: false }
}

const linesRead = (input: Segmented) => {
  const reader = lineReader()
  const lines: string[] = []
  for (const piece of piecesOf(input)) {
    reader.push(bufferOf(piece))
    for (let line = reader.take(limit); line !== undefined; line = reader.take(limit)) {
      if (line === 'too-long') return { lines, tooLong: true }
      lines.push(textOf(line))
    }
  }
  return { lines, tooLong: false }
}

const checkCommand = (line: string) => {
  const command = parseCommand(bufferOf(line))
  if ('number' in command && command.number !== undefined) assert.ok(Number.isSafeInteger(command.number))
  if (command.verb === 'top') assert.ok(Number.isSafeInteger(command.lines))
}

/** What is passed on is one line, and not a command that the gateway has to know of under another name. */
const checkProxied = (line: string) => {
  const event = proxiedEventOf(bufferOf(line))
  if (event.type !== 'proxied') return
  const credentials = passwordCredentials('USER', Buffer.from('a%b%c'), Buffer.from('secret'))
  assert.ok(credentials)
  const words = pop3Words(credentials, 'a')
  words.heard(bufferOf(line))
  const passedOn = words.line('command', event)
  assert.not.match(passedOn, /[\r\n\0]/)
  const verb = passedOn.split(' ')[0]?.toUpperCase() ?? ''
  if (event.verb === 'other')
    assert.not.ok(
      ['RETR', 'TOP', 'DELE', 'USER', 'PASS', 'AUTH', 'APOP', 'STLS', 'QUIT', 'UTF8', 'LANG'].includes(verb),
      verb,
    )
  else assert.ok(verb.startsWith(event.verb.replace('One', '').toUpperCase()), passedOn)
}

const checkLogin = (lines: readonly string[]) => {
  for (const oauth of [false, true]) {
    const credentials = holdCredentials(() => true, oauth)
    for (const line of lines) {
      const [verb = ''] = line.split(' ')
      const argument = bufferOf(line.slice(verb.length + 1))
      if (/^user$/i.test(verb)) credentials.user(argument)
      else if (/^pass$/i.test(verb)) credentials.pass(argument)
      else if (/^auth$/i.test(verb)) credentials.auth(argument)
      else if (credentials.response(bufferOf(line)) === 'given') assert.ok(credentials.take().user !== '')
    }
  }
}

/** Command lines of POP3: where they end, what they mean, and what of them goes further. */
export const pop3Commands = target<Segmented>((corpus) => ({
  inputs: segmented(spoilt(pop3Dialogue(corpus.map(({ octets }) => octets)))),
  costs: 20,
  check: (input) => {
    const read = linesRead(input)
    assert.is(JSON.stringify(read), JSON.stringify(linesIn(input.octets)))
    const lines = read.lines.slice(0, mostLines)
    lines.forEach(checkCommand)
    lines.forEach(checkProxied)
    checkLogin(lines)
  },
}))
