import { randomBytes, randomUUID, randomUUIDv7 } from 'node:crypto'
import { v5 } from 'uuid'

declare const brand: unique symbol
type Brand<T, B extends string> = T & { readonly [brand]: B }

/** `mbx-` and 32 lower-case hex digits. */
export type MailboxId = Brand<string, 'MailboxId'>
/** UUIDv7 (RFC 9562 §5.7); also the message's POP3 unique-id (RFC 1939 §7). */
export type MessageId = Brand<string, 'MessageId'>
/** `snd-` and 16 lower-case hex digits: who sends mail with a token of his own. */
export type SenderId = Brand<string, 'SenderId'>
/** UUIDv7; one TCP connection of a peer, or one request to the API. */
export type SessionId = Brand<string, 'SessionId'>
/** UUIDv4, minted once for an append and reused only by retries of that same append. */
export type CommandId = Brand<string, 'CommandId'>
/** UUIDv5 of a command id and the event's index in the append, so that a retry writes the same events. */
export type EventId = Brand<string, 'EventId'>
/** A place in the log's one global order. Opaque; two positions of one log compare as strings, later is greater. */
export type Position = Brand<string, 'Position'>
/** Names an object in the vault: `<yyyy-mm-dd>/<message id>`, the UTC day on which it was received. */
export type VaultKey = Brand<string, 'VaultKey'>

/** Before the first event of any log. */
export const origin = '' as Position

const mailboxPattern = /^mbx-[0-9a-f]{32}$/
const senderPattern = /^snd-[0-9a-f]{16}$/
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const vaultKeyPattern = /^\d{4}-\d{2}-\d{2}\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export const newMailboxId = () => `mbx-${randomBytes(16).toString('hex')}` as MailboxId
export const newSenderId = () => `snd-${randomBytes(8).toString('hex')}` as SenderId
export const newMessageId = () => randomUUIDv7() as MessageId
export const newSessionId = () => randomUUIDv7() as SessionId
export const newCommandId = () => randomUUID() as CommandId

export const isMailboxId = (text: string): text is MailboxId => mailboxPattern.test(text)
export const isSenderId = (text: string): text is SenderId => senderPattern.test(text)
export const isMessageId = (text: string): text is MessageId => uuidPattern.test(text)
export const isSessionId = (text: string): text is SessionId => uuidPattern.test(text)
export const isVaultKey = (text: string): text is VaultKey => vaultKeyPattern.test(text)

export const eventId = (command: CommandId, index: number) => v5(String(index), command) as EventId

/** Milliseconds since the epoch at which a UUIDv7 was minted. */
export const mintedAt = (id: MessageId | SessionId) => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)

const millisecondsOfDay = 24 * 60 * 60 * 1000
const utcDay = (days: number) => new Date(days * millisecondsOfDay).toISOString().slice(0, 10)
/** The last one asked for: messages come by the thousand a day. */
let lastDay = { days: 0, text: utcDay(0) }

/** Where a message lies in the vault: under the UTC day on which its id was minted. */
export const vaultKey = (message: MessageId) => {
  const days = Math.floor(mintedAt(message) / millisecondsOfDay)
  if (days !== lastDay.days) lastDay = { days, text: utcDay(days) }
  return `${lastDay.text}/${message}` as VaultKey
}

export const messageOfKey = (key: VaultKey) => key.slice(11) as MessageId
