/** One row: what each kind of peer is told. `retry` says whether the same request may succeed later. */
type Answer = {
  /** The text for the peer: says what happened, names nobody. */
  readonly text: string
  /** SMTP reply code and enhanced status code (RFC 3463). */
  readonly smtp: readonly [code: number, enhanced: string]
  /** POP3 response code (RFC 2449 §8, RFC 3206); empty for none. */
  readonly pop3: '' | '[AUTH]' | '[IN-USE]' | '[SYS/TEMP]' | '[SYS/PERM]'
  readonly http: number
  readonly retry: boolean
}

/**
 * The one table of failures. 4xx unless it is provably the sender's fault: a sender keeps the message after 4xx and
 * may drop it after 5xx.
 */
// prettier-ignore
const answers = {
  'mailbox-unknown': { text: 'No such mailbox here', smtp: [550, '5.1.1'], pop3: '[AUTH]', http: 404, retry: false },
  'mailbox-suspended': { text: 'Mailbox is suspended, try again later', smtp: [450, '4.2.1'], pop3: '[SYS/TEMP]', http: 409, retry: true },
  'mailbox-conflict': { text: 'The mailbox is not in a state that allows this', smtp: [451, '4.3.0'], pop3: '[SYS/TEMP]', http: 409, retry: false },
  'mailbox-held': { text: 'The mailbox is under a legal hold', smtp: [451, '4.3.0'], pop3: '[SYS/TEMP]', http: 409, retry: false },
  'mailbox-not-empty': { text: 'The mailbox holds mail that nobody has collected: it is deleted only when that is forced', smtp: [451, '4.3.0'], pop3: '[SYS/TEMP]', http: 409, retry: false },
  'revision-mismatch': { text: 'The mailbox has changed: it is not at the revision that If-Match names', smtp: [451, '4.3.0'], pop3: '[SYS/TEMP]', http: 412, retry: false },
  'key-reused': { text: 'The Idempotency-Key was used for another request', smtp: [451, '4.3.0'], pop3: '[SYS/TEMP]', http: 422, retry: false },
  'alias-taken': { text: 'That address already belongs to another mailbox', smtp: [451, '4.3.0'], pop3: '[SYS/TEMP]', http: 409, retry: false },
  'message-unknown': { text: 'No such message', smtp: [550, '5.1.1'], pop3: '', http: 404, retry: false },
  'message-purged': { text: 'The message was destroyed', smtp: [451, '4.3.0'], pop3: '[SYS/PERM]', http: 410, retry: false },
  'purge-decided': { text: 'The message is being destroyed, or was: it cannot be restored', smtp: [451, '4.3.0'], pop3: '', http: 409, retry: false },
  'message-not-relayed': { text: 'The message was sent through the proxy, and the server has not taken it', smtp: [451, '4.3.0'], pop3: '', http: 409, retry: false },
  'message-too-large': { text: 'Message is larger than this gateway accepts', smtp: [552, '5.3.4'], pop3: '[SYS/PERM]', http: 413, retry: false },
  'session-unknown': { text: 'No such session is recorded', smtp: [451, '4.3.0'], pop3: '', http: 404, retry: false },
  'session-open': { text: 'The session has not ended yet', smtp: [451, '4.3.0'], pop3: '', http: 409, retry: true },
  'object-missing': { text: 'The sealed message is missing from the vault', smtp: [451, '4.3.0'], pop3: '[SYS/PERM]', http: 410, retry: false },
  'object-corrupt': { text: 'The sealed message is not the one that was recorded', smtp: [451, '4.3.0'], pop3: '[SYS/PERM]', http: 500, retry: false },
  'not-openable': { text: 'The message is sealed under a key that this password does not open', smtp: [451, '4.3.0'], pop3: '[SYS/PERM]', http: 403, retry: false },
  'password-wrong': { text: 'Wrong user name or password', smtp: [535, '5.7.8'], pop3: '[AUTH]', http: 403, retry: false },
  'password-older': { text: 'That password opens older mail only: give the one that opens new mail', smtp: [535, '5.7.8'], pop3: '[AUTH]', http: 403, retry: false },
  'identity-older': { text: 'A newer key opens what that identity does: give the identity of the newer key', smtp: [535, '5.7.8'], pop3: '[AUTH]', http: 403, retry: false },
  'too-many-attempts': { text: 'Too many failed attempts, try again later', smtp: [454, '4.7.0'], pop3: '[SYS/TEMP]', http: 429, retry: true },
  'maildrop-in-use': { text: 'Another session holds this maildrop', smtp: [451, '4.3.0'], pop3: '[IN-USE]', http: 409, retry: true },
  'storage-full': { text: 'Insufficient storage, try again later', smtp: [452, '4.3.1'], pop3: '[SYS/TEMP]', http: 507, retry: true },
  'storage-failed': { text: 'Storage is not available, try again later', smtp: [451, '4.3.0'], pop3: '[SYS/TEMP]', http: 503, retry: true },
  'revision-conflict': { text: 'Somebody else changed this at the same time', smtp: [451, '4.3.0'], pop3: '[SYS/TEMP]', http: 409, retry: true },
  'not-written': { text: 'Could not be recorded, try again later', smtp: [451, '4.3.0'], pop3: '[SYS/TEMP]', http: 503, retry: true },
  'outcome-unknown': { text: 'Could not be confirmed, try again later', smtp: [451, '4.3.0'], pop3: '[SYS/TEMP]', http: 503, retry: true },
  'event-unreadable': { text: 'The log holds an event that this version cannot read', smtp: [451, '4.3.0'], pop3: '[SYS/TEMP]', http: 503, retry: false },
  'views-behind': { text: 'The views are still being built, try again later', smtp: [451, '4.3.0'], pop3: '[SYS/TEMP]', http: 503, retry: true },
  overloaded: { text: 'Too busy, try again later', smtp: [451, '4.3.2'], pop3: '[SYS/TEMP]', http: 503, retry: true },
  'shutting-down': { text: 'Shutting down, try again later', smtp: [421, '4.3.2'], pop3: '[SYS/TEMP]', http: 503, retry: true },
  'connection-lost': { text: 'The connection was lost', smtp: [421, '4.4.2'], pop3: '[SYS/TEMP]', http: 499, retry: true },
  'proxy-off': { text: 'This gateway does not connect mail clients to other servers: its administrator has not turned that on', smtp: [535, '5.7.8'], pop3: '[AUTH]', http: 403, retry: false },
  'proxy-name': { text: 'The user name must be written as user%server%mailbox, for example anna@example.com%pop.example.com%journal@example.com', smtp: [535, '5.7.8'], pop3: '[AUTH]', http: 400, retry: false },
  'proxy-mailbox': { text: 'This gateway has no such mailbox: check what stands after the last % of the user name', smtp: [535, '5.7.8'], pop3: '[AUTH]', http: 404, retry: false },
  'proxy-target': { text: 'This gateway may not connect to that server: check the server in the user name, or ask the administrator to list it', smtp: [535, '5.7.8'], pop3: '[AUTH]', http: 403, retry: false },
  'proxy-client': { text: 'This mailbox may not be used from your network: ask the administrator', smtp: [535, '5.7.8'], pop3: '[AUTH]', http: 403, retry: false },
  'proxy-address': { text: 'The server has an address that this gateway may not connect to: check the server in the user name, or ask the administrator', smtp: [535, '5.7.8'], pop3: '[AUTH]', http: 403, retry: false },
  'proxy-unreachable': { text: 'The server cannot be reached, try again later', smtp: [454, '4.7.0'], pop3: '[SYS/TEMP]', http: 502, retry: true },
  'proxy-no-tls': { text: 'The server offers no TLS, so your password was not sent to it', smtp: [535, '5.7.8'], pop3: '[SYS/PERM]', http: 502, retry: false },
  'proxy-certificate': { text: 'The server has no valid certificate, so your password was not sent to it', smtp: [535, '5.7.8'], pop3: '[SYS/PERM]', http: 502, retry: false },
  'proxy-mechanism': { text: 'The server does not offer this way to log in: choose another one in the mail program', smtp: [504, '5.5.4'], pop3: '[AUTH]', http: 502, retry: false },
  'proxy-login': { text: 'The server did not accept the login', smtp: [535, '5.7.8'], pop3: '[AUTH]', http: 403, retry: false },
  'proxy-lost': { text: 'The connection to the server was lost, try again later', smtp: [421, '4.4.2'], pop3: '[SYS/TEMP]', http: 502, retry: true },
  'proxy-busy': { text: 'Too many mail clients are connected, try again later', smtp: [454, '4.7.0'], pop3: '[SYS/TEMP]', http: 503, retry: true },
  'relay-unknown': { text: 'The server did not say whether it has taken the message: it may have been sent', smtp: [451, '4.4.2'], pop3: '', http: 502, retry: true },
  'request-invalid': { text: 'The request is not valid', smtp: [501, '5.5.4'], pop3: '', http: 400, retry: false },
  'not-authorized': { text: 'Not authorized', smtp: [530, '5.7.0'], pop3: '[AUTH]', http: 401, retry: false },
  'role-insufficient': { text: 'Your role does not allow this', smtp: [530, '5.7.0'], pop3: '[AUTH]', http: 403, retry: false },
  'scope-insufficient': { text: 'Your token is for some mailboxes only: this concerns the whole gateway', smtp: [530, '5.7.0'], pop3: '[AUTH]', http: 403, retry: false },
  'password-must-change': { text: 'The password must be changed first: PUT /v1/session/password', smtp: [530, '5.7.0'], pop3: '[AUTH]', http: 403, retry: false },
  'administrator-unknown': { text: 'There is no administrator of that name', smtp: [530, '5.7.0'], pop3: '[AUTH]', http: 404, retry: false },
  'administrator-exists': { text: 'There is an administrator of that name already', smtp: [530, '5.7.0'], pop3: '[AUTH]', http: 409, retry: false },
  'token-unknown': { text: 'There is no such token', smtp: [530, '5.7.0'], pop3: '[AUTH]', http: 404, retry: false },
  'sender-unknown': { text: 'There is no such sender', smtp: [530, '5.7.0'], pop3: '[AUTH]', http: 404, retry: false },
  'sender-later': { text: 'Mail is not taken from you any more: what is asked of senders has changed', smtp: [450, '4.7.1'], pop3: '', http: 403, retry: true },
  'sender-refused': { text: 'Mail is not taken from you any more: what is asked of senders has changed', smtp: [550, '5.7.1'], pop3: '', http: 403, retry: false },
  'password-expired': { text: 'That password was for once and its time is over: have it reset (sealpost admin reset)', smtp: [530, '5.7.0'], pop3: '[AUTH]', http: 403, retry: false },
  'cross-site': { text: 'A browser sent this from another site', smtp: [530, '5.7.0'], pop3: '[AUTH]', http: 403, retry: false },
  'start-refused': { text: 'The gateway cannot start', smtp: [421, '4.3.2'], pop3: '[SYS/TEMP]', http: 503, retry: false },
  internal: { text: 'Internal error, try again later', smtp: [451, '4.3.0'], pop3: '[SYS/TEMP]', http: 500, retry: true },
} as const satisfies Record<string, Answer>

export type ErrorCode = keyof typeof answers

export const errorCodes = Object.keys(answers) as readonly ErrorCode[]

export const isErrorCode = (text: string): text is ErrorCode => Object.hasOwn(answers, text)

export const answerTo = (code: ErrorCode): Answer => answers[code]

/**
 * A failure with a code of the table. The peer sees the table's `text`, or `detail` where the failure is about what the
 * peer itself asked; the log sees `cause`.
 */
export class GatewayError extends Error {
  readonly code: ErrorCode
  readonly detail: string | undefined
  constructor(code: ErrorCode, { detail, cause }: { readonly detail?: string; readonly cause?: unknown } = {}) {
    super(detail ?? answers[code].text, { cause })
    this.name = 'GatewayError'
    this.code = code
    this.detail = detail
  }
}

/** The log's answers to an append after which no event names what was made for it. Any other, a defect too, leaves that open. */
const notWritten: ReadonlySet<ErrorCode> = new Set(['not-written', 'storage-full', 'revision-conflict'])

/** Whether an append has surely written nothing, so that what it was to name may go. */
export const isSurelyNotWritten = (error: unknown): boolean => notWritten.has(asGatewayError(error).code)

/** Whether work that ends in an append has failed so that its events may be in the log. */
export const mayBeWritten = (error: unknown): boolean => {
  const { code } = asGatewayError(error)
  return code === 'outcome-unknown' || code === 'internal'
}

/** Whatever was thrown, as a failure of the table: what is not one of ours is `internal`, with its cause kept. */
export const asGatewayError = (error: unknown): GatewayError =>
  error instanceof GatewayError ? error : new GatewayError('internal', { cause: error })
