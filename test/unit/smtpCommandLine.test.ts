import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseCommandLine } from '../../src/smtp/commandLine.ts'

const parse = (line: string) => parseCommandLine(Buffer.from(line))
const mail = (reversePath: string, changed: object = {}) => ({
  verb: 'mail',
  reversePath,
  size: 0,
  smtpUtf8: false,
  ...changed,
})
const malformed = (problem: string) => ({ verb: 'malformed', problem })

for (const [line, command] of [
  ['EHLO client.example', { verb: 'hello', extended: true, name: 'client.example' }],
  ['helo [192.0.2.1]', { verb: 'hello', extended: false, name: '[192.0.2.1]' }],
  ['EHLO', malformed('helloSyntax')],
  ['EHLO two words', malformed('helloSyntax')],
  [`EHLO ${'x'.repeat(256)}`, malformed('helloSyntax')],
  ['DATA', { verb: 'data' }],
  ['data  ', { verb: 'data' }],
  ['DATA x', malformed('noArgument')],
  ['RSET', { verb: 'rset' }],
  ['QUIT', { verb: 'quit' }],
  ['STARTTLS', { verb: 'starttls' }],
  ['NOOP anything at all', { verb: 'noop' }],
  ['HELP MAIL', { verb: 'help' }],
  ['VRFY x', { verb: 'vrfy' }],
  ['VRFY', malformed('verifySyntax')],
  ['AUTH PLAIN AGEAYg==', { verb: 'auth' }],
  ['BDAT 10', { verb: 'bdat', size: 10, last: false }],
  ['bdat 0\t last ', { verb: 'bdat', size: 0, last: true }],
  [`BDAT ${'9'.repeat(20)}`, { verb: 'bdat', size: 1e20, last: false }],
  [`BDAT ${'9'.repeat(21)}`, { verb: 'sizeless' }],
  ['BDAT', { verb: 'sizeless' }],
  ['BDAT +1', { verb: 'sizeless' }],
  ['BDAT 1LAST', { verb: 'sizeless' }],
  ['EXPN x', { verb: 'unimplemented' }],
  ['XYZZY', malformed('unknownCommand')],
  ['', malformed('unknownCommand')],
  [' NOOP', malformed('unknownCommand')],
  ['__proto__', malformed('unknownCommand')],
  ['constructor', malformed('unknownCommand')],
  ['GET / HTTP/1.1', { verb: 'http' }],
  ['MAIL FROM:<a@b>', mail('a@b')],
  ['mail from:<a@b>', mail('a@b')],
  ['MAIL FROM: <a@b> ', mail('a@b')],
  ['MAIL FROM:<>', mail('')],
  ['MAIL FROM:<@x,@y.z:a@b>', mail('a@b')],
  ['MAIL FROM:<"a > b"@c>', mail('"a > b"@c')],
  ['MAIL FROM:<"a\tb"@c>', malformed('mailSyntax')],
  ['MAIL FROM:<"a\\\tb"@c>', malformed('mailSyntax')],
  ['MAIL FROM:<a@b> SIZE=12 BODY=8BITMIME', mail('a@b', { size: 12 })],
  ['MAIL FROM:<ä@b> SMTPUTF8', mail('ä@b', { smtpUtf8: true })],
  ['MAIL FROM:<ä@b>', malformed('needsSmtpUtf8')],
  ['MAIL FROM:a@b', malformed('mailSyntax')],
  ['MAIL FROM <a@b>', malformed('mailSyntax')],
  ['MAIL FROM:<a@b>SIZE=1', malformed('mailSyntax')],
  ['MAIL FROM:<a b@c>', malformed('mailSyntax')],
  ['MAIL FROM:<a@b', malformed('mailSyntax')],
  ['MAIL', malformed('mailSyntax')],
  ['MAIL FROM:<a(b)@c>', malformed('senderInvalid')],
  ['MAIL FROM:<a@b> SIZE', malformed('parameterSyntax')],
  ['MAIL FROM:<a@b> -X=1', malformed('parameterSyntax')],
  ['MAIL FROM:<a@b> BODY=BINARYMIME', malformed('parameterSyntax')],
  ['MAIL FROM:<a@b> X=1', malformed('parameterUnknown')],
  ['RCPT TO:<a@b>', { verb: 'rcpt', forwardPath: { local: 'a', domain: 'b' }, typed: 'a@b', ascii: true }],
  ['RCPT TO:<PostMaster>', { verb: 'rcpt', forwardPath: 'postmaster', typed: 'PostMaster', ascii: true }],
  ['RCPT TO:<ä@b>', { verb: 'rcpt', forwardPath: { local: 'ä', domain: 'b' }, typed: 'ä@b', ascii: false }],
  ['RCPT TO:<a.@b>', malformed('recipientInvalid')],
  ['RCPT TO:<>', malformed('recipientInvalid')],
  ['RCPT TO:<a@b> NOTIFY=NEVER', malformed('parameterUnknown')],
  ['NOOP\nNOOP', malformed('notText')],
  ['NOOP\r', malformed('notText')],
  ['NOOP \0', malformed('notText')],
  ['NOOP \u0085', malformed('notText')],
  ['NOOP \u2028', malformed('notText')],
] as const)
  test(`${JSON.stringify(line).slice(0, 60)} is understood`, () => {
    assert.equal(parse(line), command)
  })

test('octets that are not UTF-8 are no command', () => {
  assert.equal(parseCommandLine(Buffer.from('MAIL FROM:<\xe4@b>', 'latin1')), malformed('notText'))
})

test('any octets give a command or a problem, and never an error', () => {
  const piece = fc.constantFrom(
    'MAIL FROM:',
    'RCPT TO:',
    '<',
    '>',
    '@',
    '"',
    '\\',
    ' ',
    ':',
    ',',
    'a',
    'ä',
    '.',
    'SIZE=1',
    '[',
  )
  const line = fc.oneof(
    fc.array(piece, { maxLength: 30 }).map((parts) => Buffer.from(parts.join(''))),
    fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets)),
  )
  fc.assert(
    fc.property(line, (octets) => {
      const command = parseCommandLine(octets)
      if (command.verb === 'mail') assert.not.match(command.reversePath, /[\p{Cc}\p{Zl}\p{Zp}]/u)
    }),
    { numRuns: 3000 },
  )
})

test('a hostile line takes no more time than an honest one', () => {
  const before = process.cpuUsage().user
  for (const unit of ['"\\', '@a,', '<', '"', 'a.', '@', '-a', '\\"', ' ', '\t '])
    for (const verb of ['MAIL FROM:<', 'RCPT TO:<', 'EHLO ', 'NOOP '])
      for (const end of ['', 'x']) parse(verb + unit.repeat(12_000 / unit.length) + end)
  // Quadratic, it would be ten seconds.
  assert.ok(process.cpuUsage().user - before < 8_000_000)
})

test.run()
