import { isMessageId, type MessageId } from '../core/ids.ts'
import { type Given, UsageError } from './command.ts'

/** The first operand, which must be a message id. */
export const messageIdIn = ({ operands: [text = ''] }: Given): MessageId => {
  if (isMessageId(text)) return text
  throw new UsageError(`"${text}" is not a message id`)
}
