/** Awkward mails, made here so that no editor or checkout can tidy them. */
const headers = 'From: a@example.com\r\nTo: b@example.net\r\nSubject: awkward\r\n\r\n'
const mail = (body: string, head = headers) => Buffer.from(head + body, 'latin1')

export const awkwardMails: Readonly<Record<string, Buffer>> = {
  'an ordinary mail': mail('Hello.\r\n'),
  'an empty mail': Buffer.alloc(0),
  'one empty line': mail('\r\n', ''),
  'headers without a body': mail('', 'Subject: nothing follows\r\n'),
  'a body without headers': mail('\r\njust text\r\n', ''),
  'no final line end': mail('the end is open'),
  'a lone dot line': mail('before\r\n.\r\nafter\r\n'),
  'dots at the start of lines': mail('.one\r\n..two\r\n...three\r\n.\r\n'),
  'a dot as the first octet': mail('.hidden\r\n', ''),
  'bare line feeds': mail('one\ntwo\n\nthree\r\n'),
  'bare carriage returns': mail('one\rtwo\r\rthree\r\n'),
  'a dot after a bare line feed': mail('one\n.\ntwo\n.two\r\n'),
  'a dot between bare carriage returns': mail('one\r.\rtwo\r\n'),
  'carriage returns before a line end': mail('one\r\r\ntwo\r\r\r\n'),
  'every octet': Buffer.concat([
    mail(''),
    Buffer.from(Array.from({ length: 256 }, (_, octet) => octet)),
    Buffer.from('\r\n'),
  ]),
  'NUL octets': mail('a\0b\0\0c\r\n'),
  'eight-bit text': mail('Grüße, Æ\xff\xfe\r\n'),
  'a line of one megabyte': mail(`${'x'.repeat(1 << 20)}\r\n`),
  'many dot lines': mail('..\r\n'.repeat(50_000)),
  'many empty lines': mail('\r\n'.repeat(50_000)),
  'as large as one sealed piece': mail(`${'y'.repeat(64 * 1024 - headers.length - 2)}\r\n`),
  'larger than a pack takes': mail('The quick brown fox.\r\n'.repeat(40_000)),
  'ends in carriage return': mail('ends badly\r'),
  'ends in a dot': mail('ends in.\r\n.'),
}
