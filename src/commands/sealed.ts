import { type Command, dataOption } from './command.ts'
import { messagePath, running } from './configured.ts'
import { messageIdIn } from './messageId.ts'
import { onData } from './offlineData.ts'
import { writeOctets } from './output.ts'

export const sealed: Command = {
  name: 'sealed',
  summary: 'Write a sealed message to standard output, an age file',
  operands: ['MESSAGE_ID'],
  options: { data: dataOption },
  run: async (given, io) => {
    const messageId = messageIdIn(given)
    const data = given.optional('data')
    if (data !== undefined) await onData(given, io, (offline) => writeOctets(io.stdout, offline.sealed(messageId)))
    else await writeOctets(io.stdout, await running(given, io).octets('GET', `${messagePath(messageId)}/sealed`))
    return undefined
  },
}
