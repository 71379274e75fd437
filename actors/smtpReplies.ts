import type { PutOff } from '../src/core/putOff.ts'

/** RFC 5321 §4.2 and RFC 2034: no enhanced status code where the standard allows none. */
export type SmtpReply = {
  readonly code: number
  readonly enhanced: string
  /** One line each. */
  readonly lines: readonly string[]
}

/** What is said in the same words to everybody. Texts name nobody and repeat nothing that the peer sent. */
// prettier-ignore
const table = {
  ok: [250, '2.0.0', 'OK'],
  senderOk: [250, '2.1.0', 'Sender OK'],
  recipientOk: [250, '2.1.5', 'Recipient OK'],
  sendData: [354, '', 'End data with <CRLF>.<CRLF>'],
  chunkTaken: [250, '2.0.0', 'Chunk received'],
  bye: [221, '2.0.0', 'Bye'],
  readyForTls: [220, '2.0.0', 'Ready to start TLS'],
  help: [214, '2.0.0', 'This is an archive: send mail to a mailbox of it (RFC 5321)'],
  notVerified: [252, '2.5.0', 'Not verified; send a message to try'],

  // Commands (RFC 5321 §4.2.4, §4.3.2)
  unknownCommand: [500, '5.5.1', 'Command not recognized'],
  notImplemented: [502, '5.5.1', 'Command not implemented'],
  notText: [500, '5.5.2', 'A command is one line of text that ends in CRLF'],
  lineTooLong: [500, '5.5.2', 'Line too long'],
  noArgument: [501, '5.5.4', 'This command takes no argument'],
  helloSyntax: [501, '5.5.4', 'Say EHLO and your domain name or address literal'],
  mailSyntax: [501, '5.5.4', 'Syntax: MAIL FROM:<address>'],
  recipientSyntax: [501, '5.5.4', 'Syntax: RCPT TO:<address>'],
  chunkSyntax: [501, '5.5.4', 'Syntax: BDAT octets [LAST]'],
  verifySyntax: [501, '5.5.4', 'Syntax: VRFY address'],
  senderInvalid: [501, '5.1.7', 'The sender address is not valid'],
  recipientInvalid: [501, '5.1.3', 'The recipient address is not valid'],
  parameterSyntax: [501, '5.5.4', 'The parameters are not valid'],
  parameterUnknown: [555, '5.5.4', 'Parameter not recognized'],
  needsSmtpUtf8: [553, '5.6.7', 'Such an address needs SMTPUTF8'],
  helloFirst: [503, '5.5.1', 'Say EHLO first'],
  mailFirst: [503, '5.5.1', 'MAIL is needed first'],
  recipientFirst: [503, '5.5.1', 'A valid RCPT is needed first'],
  spoilt: [503, '5.5.1', 'An earlier chunk of this message was refused'],
  badSequence: [503, '5.5.1', 'Bad sequence of commands'],
  tlsActive: [503, '5.5.1', 'TLS is active already'],
  noAuth: [502, '5.5.1', 'Authentication is not offered here'],

  // Authentication (RFC 4954) and what comes before it
  challenge: [334, '', ''],
  userChallenge: [334, '', 'VXNlcm5hbWU6'],
  passwordChallenge: [334, '', 'UGFzc3dvcmQ6'],
  tlsFirst: [530, '5.7.0', 'Must issue a STARTTLS command first'],
  tlsBeforeAuth: [538, '5.7.11', 'Encryption is required to authenticate: use STARTTLS'],
  authFirst: [530, '5.7.0', 'Authentication required'],
  authAccepted: [235, '2.7.0', 'Authentication successful'],
  authDone: [503, '5.5.1', 'You are authenticated already'],
  authInTransaction: [503, '5.5.1', 'AUTH is not possible within a mail transaction'],
  authCancelled: [501, '5.0.0', 'Authentication cancelled'],
  notBase64: [501, '5.5.2', 'That is not the base64 of what this mechanism sends'],
  mechanismUnknown: [504, '5.5.4', 'Mechanism not offered; use PLAIN, LOGIN, XOAUTH2 or OAUTHBEARER'],
  senderMechanismUnknown: [504, '5.5.4', 'Mechanism not offered; use PLAIN or LOGIN'],

  // What is asked of senders: refused so that they try again, or for good
  networkLater: [450, '4.7.1', 'Mail is not taken from your address'],
  networkRefused: [550, '5.7.1', 'Mail is not taken from your address'],
  tlsFirstLater: [450, '4.7.0', 'Must issue a STARTTLS command first'],
  certificateLater: [450, '4.7.0', 'A client certificate that is accepted here is required'],
  certificateRequired: [530, '5.7.0', 'A client certificate that is accepted here is required'],
  authFirstLater: [450, '4.7.0', 'Authentication required'],
  senderLater: [450, '4.7.1', 'Your token is not for this mailbox, or no longer'],
  senderRefused: [550, '5.7.1', 'Your token is not for this mailbox, or no longer'],

  // Messages and recipients
  tooLarge: [552, '5.3.4', 'Message is larger than this gateway accepts'],
  unknownRecipient: [550, '5.1.1', 'No such mailbox here'],
  relayRefused: [550, '5.7.1', 'Relaying is not permitted'],
  suspended: [450, '4.2.1', 'Mailbox is suspended, try again later'],
  noPostmaster: [450, '4.2.1', 'No mailbox is set for postmaster, try again later'],
  recipientUnavailable: [451, '4.3.0', 'Recipients cannot be looked up, try again later'],
  tooManyMessages: [450, '4.7.1', 'Too many messages from your address within a minute, try again later'],
  diskReserve: [452, '4.3.1', 'Insufficient storage, try again later'],
  tooBusy: [450, '4.3.2', 'Too busy, try again later'],
  oneMailbox: [452, '4.5.3', 'One mailbox per message, send to this one apart'],
  tooManyRecipients: [452, '4.5.3', 'Too many recipients'],
  remoteLacksEightBit: [554, '5.6.3', 'The server takes 7-bit mail only'],
  remoteLacksSmtpUtf8: [550, '5.6.7', 'The server does not take mail with such addresses (SMTPUTF8)'],

  // Endings
  tooManySessions: [421, '4.3.2', 'Too many connections, try again later'],
  tooManyBad: [421, '4.7.0', 'Too many commands that make no sense'],
  chunkUnread: [421, '4.7.0', 'Where that chunk ends is not known'],
  notHttp: [421, '4.7.0', 'This is not an HTTP server'],
  remoteLost: [421, '4.4.2', 'The connection to the server was lost, try again later'],
  timedOut: [421, '4.4.2', 'Nothing was heard for too long'],
  shuttingDown: [421, '4.3.2', 'Shutting down, try again later'],
  internal: [421, '4.3.0', 'Internal error, try again later'],
} as const satisfies Record<string, readonly [code: number, enhanced: string, text: string]>

/** What a sender hears whose message may not begin now. */
export const putOffReplies = {
  'too-many-messages': 'tooManyMessages',
  'disk-reserve': 'diskReserve',
  'bytes-in-flight': 'tooBusy',
  'log-lag': 'tooBusy',
} as const satisfies Record<PutOff, ReplyName>

export type ReplyName = keyof typeof table

export const isReplyName = (text: string): text is ReplyName => Object.hasOwn(table, text)

export const smtpReply = (name: ReplyName): SmtpReply => {
  const [code, enhanced, text] = table[name]
  return { code, enhanced, lines: [text] }
}

/** One that is not in the table, as a machine's effect. */
export const replyOf = (code: number, enhanced: string, ...lines: readonly string[]) =>
  ({ type: 'reply', code, enhanced, lines }) as const
