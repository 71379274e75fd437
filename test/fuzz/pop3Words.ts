import fc from 'fast-check'
import { anyOctets, eitherOf, joined, sentence, wordOf } from './octets.ts'
import { anyMessage, proxyNames } from './saslWords.ts'

const number = wordOf('1', '2', '3', '0', '4', '01', '4294967297', '10000000000', '-1', '1 2', '')
const verb = wordOf('RETR', 'DELE', 'LIST', 'UIDL', 'TOP', 'retr', 'STAT', 'NOOP', 'RSET', 'CAPA', 'XTND')
const numbered = sentence('$ $', verb, number)
const top = sentence('TOP $ $', number, number)
const user = sentence('USER $', fc.oneof(wordOf('alice', 'bob', ''), proxyNames))
const pass = sentence('PASS $', wordOf('correct-horse', 'wrong', '', ' spaced '))
const auth = sentence('AUTH $$', wordOf('PLAIN', 'XOAUTH2', 'OAUTHBEARER', 'LOGIN', ''), sentence(' $', anyMessage))
const bare = wordOf(
  'STAT',
  'LIST',
  'UIDL',
  'NOOP',
  'RSET',
  'CAPA',
  'QUIT',
  'STLS',
  'AUTH PLAIN',
  'UTF8',
  'LANG *',
  'APOP a b',
  '',
)

export const pop3Line = fc.oneof(
  { weight: 3, arbitrary: fc.oneof(numbered, top) },
  { weight: 3, arbitrary: bare },
  { weight: 2, arbitrary: fc.oneof(user, pass, auth) },
  { weight: 1, arbitrary: fc.oneof(anyMessage, anyOctets) },
)

export const pop3Dialogue = (corpus: readonly string[]) =>
  eitherOf(
    corpus,
    joined(sentence('$\r\n', pop3Line), 8),
    joined(sentence('$$', pop3Line, wordOf('\r\n', '\n', '\r')), 8),
  )
