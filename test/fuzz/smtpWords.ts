import fc from 'fast-check'
import { anyOctets, anyUtf8, eitherOf, joined, sentence, spoilt, wordOf } from './octets.ts'
import { anyMessage } from './saslWords.ts'

/** Of the fuzzed gateway's own mailbox, in the places where one may stand. */
export const ownMailbox = `mbx-${'1'.repeat(32)}@gateway.example`

const local = wordOf('anna', '"of the firm"', '"a\\"b"', 'user.', 'a..b', 'Zo\xc3\xab', "o'neil+tag", '"\\\\"', 'x_y')
const domain = wordOf('example.com', '[192.0.2.7]', '[IPv6:2001:db8::7]', 'b\xc3\xbccher.example', 'a', 'xn--a.b', 'x.')
const address = fc.oneof(fc.constant(ownMailbox), sentence('$@$', local, domain), anyUtf8, wordOf('postmaster', ''))
const path = fc.oneof(
  { weight: 5, arbitrary: sentence('<$>', address) },
  { weight: 1, arbitrary: sentence('<@$,@$:$>', domain, domain, address) },
  { weight: 1, arbitrary: address },
)
const parameter = wordOf(
  ...['SIZE=100', 'BODY=8BITMIME', 'BODY=7BIT', 'SMTPUTF8', 'RET=HDRS', 'ENVID=QQ314159', 'AUTH=<>', 'NOTIFY=NEVER'],
  ...['ORCPT=rfc822;a+40b', 'SIZE', 'BODY=BINARYMIME', 'MT-PRIORITY=3', 'size=0', 'X', '=', 'SIZE=1 SIZE=2'],
)
const parameters = joined(sentence(' $', parameter), 3)
const greeting = sentence(
  '$ $',
  wordOf('EHLO', 'HELO', 'ehlo'),
  wordOf('client.example', '[192.0.2.1]', 'x_y', '!', ''),
)
const mail = sentence('MAIL FROM:$$', path, parameters)
const recipient = sentence('RCPT TO:$$', path, parameters)
const chunk = sentence(
  'BDAT $$',
  wordOf('0', '5', '7', '10', '100', '00', '99999999999999999999'),
  wordOf('', ' LAST', ' last'),
)
const login = sentence('AUTH $ $', wordOf('PLAIN', 'LOGIN', 'XOAUTH2', 'OAUTHBEARER', 'CRAM-MD5'), anyMessage)
const bare = wordOf(
  'DATA',
  'RSET',
  'NOOP',
  'QUIT',
  'STARTTLS',
  'HELP',
  'VRFY x',
  'EXPN',
  'GET / HTTP/1.1',
  'AUTH LOGIN',
  '',
)

export const smtpLine = fc.oneof(
  { weight: 3, arbitrary: mail },
  { weight: 3, arbitrary: recipient },
  { weight: 2, arbitrary: fc.oneof(greeting, chunk, bare) },
  { weight: 1, arbitrary: fc.oneof(login, anyMessage, anyOctets) },
)

export const smtpDialogue = (corpus: readonly string[]) =>
  eitherOf(
    corpus,
    joined(sentence('$\r\n', smtpLine), 6),
    joined(sentence('$$', smtpLine, wordOf('\r\n', '\n', '\r')), 6),
  )

/** Contents of messages, with all that could be an end. */
export const content = (corpus: readonly string[]) =>
  eitherOf(
    corpus,
    joined(wordOf('\r', '\n', '.', '\r\n', '\r\n.', '..', 'a', '\0', '\xff', '\r\n.\r\n', '.\r\n'), 60),
    joined(wordOf('Subject: x\r\n', '\r\n', 'word '.repeat(9), '..\r\n', '.\r\n', 'x'.repeat(990), '\n.\n'), 60),
    spoilt(fc.constant('From: a@example.com\r\nSubject: hello\r\n\r\nfirst\r\n..second\r\n.\r\n')),
  )
