import fc from 'fast-check'
import { anyOctets, anyUtf8, sentence, spoilt, wordOf } from './octets.ts'

/** `user%server%mailbox`, or nearly so. */
export const proxyNames = spoilt(
  sentence(
    '$%$%$',
    wordOf('anna@example.com', 'a%b', 'anna', '%', '', 'Zo\xc3\xab'),
    wordOf(
      ...[
        'pop.example.net',
        'pop.example.net:995',
        '[2001:db8::1]:110',
        '192.0.2.1',
        'B\xc3\x9ccher.example:1',
        ':1',
        '',
      ],
      ...[
        '[::ffff:127.0.0.1]',
        'localhost:65535',
        'localhost:65536',
        '*',
        '*.example.net',
        '127.1',
        '0x7f000001',
        '1.2.3.4.',
      ],
    ),
    wordOf('finance', `mbx-${'1'.repeat(32)}`, 'a@b', ''),
  ),
)

const name = fc.oneof(proxyNames, wordOf('anna', 'alice', ''), anyUtf8, anyOctets)
const secret = fc.oneof(wordOf('pass', '', 'p\xe4ss', 'a\0b', 'x\r\ny'), anyOctets)

/** SASL messages, before their base64. */
export const plainMessage = spoilt(sentence('$\0$\0$', fc.oneof(fc.constant(''), name), name, secret))
export const xoauth2Message = spoilt(sentence('user=$\x01auth=Bearer $\x01\x01', name, secret))
export const oauthBearerMessage = spoilt(
  sentence('$,a=$,\x01$auth=Bearer $\x01\x01', wordOf('n', 'y', 'p=x'), name, wordOf('', 'host=a\x01'), secret),
)
const base64 = (octets: string) => Buffer.from(octets, 'latin1').toString('base64')

/** The same as lines, some of them no base64. */
export const anyMessage = fc.oneof(
  fc.oneof(plainMessage, xoauth2Message, oauthBearerMessage, name, secret).map(base64),
  spoilt(fc.oneof(plainMessage, xoauth2Message).map(base64)),
  wordOf('*', '=', ''),
)
