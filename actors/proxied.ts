/** Commands whose reply is one line. `other`: whatever the gateway does not know. */
export const singleReplies = ['stat', 'noop', 'rset', 'listOne', 'uidlOne', 'other'] as const
/** Commands whose reply has many lines, none of them of a message. */
export const listings = ['capa', 'list', 'uidl'] as const
/** Commands on one message of the remote maildrop. */
const onMessage = ['retr', 'top', 'dele'] as const
const verbs = [...singleReplies, ...listings, ...onMessage, 'quit'] as const

type Verb = (typeof verbs)[number]

/** A client's command for the remote server, by what both machines need to know of it. */
export type Proxied = {
  readonly verb: Verb
  /** The message; undefined where the verb names none. */
  readonly number: number | undefined
  /** Of TOP only. */
  readonly lines: number | undefined
}

export const isOneOf = (some: readonly Verb[], { verb }: Proxied) => some.includes(verb)

/** How it is written in a transcript. */
export const writeProxied = ({ verb, number, lines }: Proxied): string =>
  [verb, ...(number === undefined ? [] : [number]), ...(lines === undefined ? [] : [`lines=${lines}`])].join(' ')

const form = /^([A-Za-z]+)(?: (\d{1,10}))?(?: lines=(\d{1,10}))?$/

export const readProxied = (text: string): Proxied | undefined => {
  const [, word, number, lines] = form.exec(text) ?? []
  const verb = verbs.find((one) => one === word)
  return verb && { verb, number: optional(number), lines: optional(lines) }
}

const optional = (digits: string | undefined) => (digits === undefined ? undefined : Number(digits))

/** The status of a remote server's reply: `+OK`, `-ERR`, or the `+` of a challenge (RFC 5034 §4). */
export const remoteStatuses = ['ok', 'err', 'continue'] as const
export type RemoteStatus = (typeof remoteStatuses)[number]

/** The same as a reply's code. */
export const statusCode = (status: RemoteStatus) => ({ ok: '+OK', err: '-ERR', continue: '+' })[status]
