import type { Command } from './command.ts'
import { messagePath, running } from './configured.ts'
import { facts, write, writeJson } from './output.ts'

/** A message as the admin API shows it. */
export type MessageAnswer = {
  readonly messageId: string
  readonly mailboxId: string
  readonly size: number
  readonly wireSize: number
  readonly source: string
  readonly sessionId: string
  readonly receivedAt: string
  readonly generation: number
  readonly sealedSize: number
  readonly sealedSha256: string
  readonly retrievals: number
  readonly lastRetrievedAt: string | null
  readonly deletedAt: string | null
}

export const messageShow: Command = {
  name: 'message show',
  summary: 'Show what is known of a message without opening it',
  operands: ['MESSAGE_ID'],
  options: {},
  run: async (given, io) => {
    const [id = ''] = given.operands
    const message = await running(given, io).get<MessageAnswer>(messagePath(id))
    if (given.flag('json')) await writeJson(io.stdout, message)
    else await write(io.stdout, factsOf(message))
    return undefined
  },
}

const factsOf = (message: MessageAnswer) =>
  facts([
    ['Message', message.messageId],
    ['Mailbox', message.mailboxId],
    ['Received', message.receivedAt],
    ['Source', message.source],
    ['Session', message.sessionId],
    ['Octets', String(message.size)],
    ['Octets over POP3', String(message.wireSize)],
    ['Octets sealed', String(message.sealedSize)],
    ['SHA-256 sealed', message.sealedSha256],
    ['Key generation', String(message.generation)],
    ['Retrievals', String(message.retrievals)],
    ['Last retrieved', message.lastRetrievedAt ?? '-'],
    ['Left the maildrop', message.deletedAt ?? '-'],
  ])
