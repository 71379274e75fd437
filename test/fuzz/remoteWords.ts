import fc from 'fast-check'
import { anyOctets, eitherOf, joined, sentence, spoilt, wordOf } from './octets.ts'

const code = wordOf('250', '220', '235', '334', '354', '421', '451', '535', '550', '221', '199', '600')
const text = fc.oneof(
  wordOf(
    ...[
      'ok',
      '2.1.0 Sender ok',
      'SIZE 35882577',
      '8BITMIME',
      'STARTTLS',
      'AUTH PLAIN LOGIN XOAUTH2',
      'AUTH=LOGIN',
      'SMTPUTF8',
    ],
    ...['DSN', 'PIPELINING', 'VXNlcm5hbWU6', '', 'SIZE', 'SIZE 99999999999999999999', 'AUTH', '\xff\xfe'],
  ),
  anyOctets,
)
const inLines = (code: string, texts: readonly string[]) =>
  texts.map((text, at) => `${code}${at < texts.length - 1 ? '-' : ' '}${text}`).join('\r\n')
const smtpReply = fc.oneof(
  sentence('$ $\r\n', code, text),
  sentence('$-$\r\n', code, text),
  fc.tuple(code, fc.array(text, { minLength: 1, maxLength: 8 })).map(([one, texts]) => `${inLines(one, texts)}\r\n`),
)

const extension = fc.constantFrom(
  ...['SIZE 10', 'SIZE 0', 'SIZE 9999', '8BITMIME', 'SMTPUTF8', 'STARTTLS', 'DSN', 'PIPELINING'],
  ...['AUTH PLAIN', 'AUTH LOGIN', 'AUTH XOAUTH2 OAUTHBEARER', 'AUTH PLAIN LOGIN XOAUTH2'],
)
/** What an SMTP server says in the place of its answer, less the last line end: mostly what some server might. */
export const smtpAnswer = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.constantFrom('250', '220', '235', '334', '354', '421', '451', '535', '550', '221'),
        fc.constantFrom('ok', '2.1.0 Sender ok', 'VXNlcm5hbWU6', ''),
      )
      .map((parts) => parts.join(' ')),
  },
  {
    weight: 3,
    arbitrary: fc
      .array(extension, { maxLength: 6, size: 'max' })
      .map((offers) => inLines('250', ['at your service', ...offers])),
  },
  {
    weight: 1,
    arbitrary: spoilt(joined(smtpReply, 5)).map((text) => text.replace(/\r\n$/, '')),
  },
)

const status = sentence(
  '$ $\r\n',
  wordOf('+OK', '-ERR', '+', '+ok', '+OKAY'),
  wordOf('', '1 200', '2 uidl-2', '1 a', 'ready', '99999999999 x'),
)
const line = fc.oneof(
  wordOf(
    '1 100',
    '2 uidl-2',
    '1 whqtswO00WBw418f9t5JxYwZ',
    'TOP',
    'UIDL',
    'STLS',
    'SASL PLAIN',
    'USER',
    'UTF8',
    '..',
    '.x',
  ),
  wordOf('Subject: x', '', '0 0', '4294967297 x', '01 x'),
  anyOctets,
)
const listing = sentence('+OK\r\n$.\r\n', joined(sentence('$\r\n', line), 6))

const capability = fc.constantFrom('TOP', 'UIDL', 'USER', 'STLS', 'SASL PLAIN', 'SASL XOAUTH2 PLAIN', 'UTF8', 'x')
/** What a POP3 server says in the place of its answer, less the last line end: mostly what some server might. */
export const pop3Answer = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      ...['+OK', '+OK ', '+OK 2 320', '+OK 1 uidl-0', '+OK 2 uidl-0', '+ ', '+ VXNlcm5hbWU6', '-ERR ', '-ERR no'],
      ...['-ERR [IN-USE] later', '-ERR [SYS/TEMP] later', '-ERR [AUTH] no'],
    ),
  },
  {
    weight: 2,
    arbitrary: joined(sentence('$\r\n', capability), 5).map((lines) => `+OK\r\n${lines}.`),
  },
  { weight: 2, arbitrary: listing.map((text) => text.slice(0, -2)) },
  { weight: 1, arbitrary: spoilt(joined(fc.oneof(status, listing), 5)) },
)

export const smtpReplies = joined(smtpReply, 5)
export const pop3Replies = joined(fc.oneof(status, listing), 5)

export const remoteDialogue = (corpus: readonly string[]) => eitherOf(corpus, smtpReplies, pop3Replies)
