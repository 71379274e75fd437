/** Mails such as every client carries unchanged: a From and a Date, lines below 900 octets, CRLF throughout. */
const ordinaryMail = (subject: string, ...body: readonly string[]) =>
  Buffer.from(
    [
      'From: Ada <ada@example.com>',
      'To: Ben <ben@example.net>',
      'Date: Tue, 03 Jun 2025 10:00:00 +0000',
      `Message-ID: <${subject.replaceAll(' ', '.')}@example.com>`,
      `Subject: ${subject}`,
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: 8bit',
      '',
      ...body,
      '',
    ].join('\r\n'),
  )

export const ordinaryMails: readonly Buffer[] = [
  ordinaryMail('a short mail', 'Hello.'),
  ordinaryMail('long lines', 'x'.repeat(890), 'word '.repeat(170).trim(), 'short'),
  ordinaryMail('dots', '.one', '..two', '.', '...', 'no dot'),
  ordinaryMail('eight bits', 'Grüße aus Köln, 日本語, 🜁', 'tab\tand trailing blanks  '),
  ordinaryMail('empty lines', '', 'between', '', '', 'them'),
  ordinaryMail(
    'many lines',
    ...Array.from({ length: 2_000 }, (_, line) => `line ${line} of a mail that fills buffers`),
  ),
]

/** What a client writes into a file on Linux of a mail that came in CRLF lines. */
export const inUnixLines = (mail: Buffer): Buffer =>
  Buffer.from(mail.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')

/** The mail again, of a file in Unix lines. */
export const inCrlfLines = (file: Buffer): Buffer =>
  Buffer.from(file.toString('latin1').replaceAll('\n', '\r\n'), 'latin1')

/** Mails in an order of their own, for clients that do not keep the maildrop's. */
export const sorted = (mails: readonly Buffer[]): readonly Buffer[] =>
  mails.toSorted((one, other) => one.compare(other))
