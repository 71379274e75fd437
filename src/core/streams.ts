import { createHash } from 'node:crypto'
import { isMailboxId, type MailboxId, type MessageId, type SenderId, type SessionId } from './ids.ts'

/** What stands before the first `-` of a stream's name. A log that others share is searched for these and no others. */
export const streamCategories = [
  'mailbox',
  'alias',
  'message',
  'maildrop',
  'session',
  'gateway',
  'node',
  'access',
  'sender',
] as const
export type StreamCategory = (typeof streamCategories)[number]
export type StreamName = `${StreamCategory}-${string}`

export const mailboxStream = (id: MailboxId): StreamName => `mailbox-${id}`
/** Whose stream it is; undefined for one that is no mailbox's. */
export const mailboxOfStream = (stream: StreamName): MailboxId | undefined => {
  const id = stream.slice('mailbox-'.length)
  return stream.startsWith('mailbox-') && isMailboxId(id) ? id : undefined
}
export const messageStream = (id: MessageId): StreamName => `message-${id}`
export const maildropStream = (id: MailboxId): StreamName => `maildrop-${id}`
export const sessionStream = (id: SessionId): StreamName => `session-${id}`
/** Its last event says which data directory the name belongs to. */
export const nodeStream = (node: string): StreamName => `node-${node}`
export const gatewayStream = (node: string): StreamName => `gateway-${node}`

/** Its single writer is what makes a name belong to one administrator. */
export const administratorStream = (name: string): StreamName => `access-administrator-${name}`
export const tokenStream = (tokenId: string): StreamName => `access-${tokenId}`
/** Apart from those of the API, which are many: whoever receives mail has to know them first. */
export const senderStream = (id: SenderId): StreamName => `sender-${id}`
/** What one request to the API has read or taken away. */
export const requestStream = (id: SessionId): StreamName => `access-${id}`

/** The stream's single writer is what makes an address belong to one mailbox. Only the digest of the address is named. */
export const aliasStream = (normalisedAddress: string): StreamName =>
  `alias-${createHash('sha256').update(normalisedAddress).digest('hex')}`
