import type { Command } from './command.ts'
import { messagePath, running } from './configured.ts'
import { messageIdIn } from './messageId.ts'
import type { MessageAnswer } from './messageShow.ts'
import { write, writeJson } from './output.ts'

export const messageRestore: Command = {
  name: 'message restore',
  summary: 'Put a message that was deleted over POP3 into its maildrop again, as long as it is not destroyed',
  operands: ['MESSAGE_ID'],
  options: {},
  run: async (given, io) => {
    const path = messagePath(messageIdIn(given))
    const client = running(given, io)
    await client.post(`${path}/restore`)
    if (given.flag('json')) await writeJson(io.stdout, await client.get<MessageAnswer>(path))
    else await write(io.stdout, 'The message is in its maildrop.\n')
    return undefined
  },
}
