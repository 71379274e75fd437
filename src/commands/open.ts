import { type Command, dataOption, UsageError } from './command.ts'
import { messagePath, running } from './configured.ts'
import { messageIdIn } from './messageId.ts'
import { onData } from './offlineData.ts'
import { writeOctets } from './output.ts'
import { passwordIn } from './passwordFile.ts'

export const open: Command = {
  name: 'open',
  summary: 'Open a message with the password of its mailbox and write it to standard output',
  operands: ['MESSAGE_ID'],
  options: {
    'password-file': { value: 'FILE', about: 'Holds the password; - for standard input', required: true },
    headers: { about: 'The header alone' },
    reason: { value: 'REASON', about: 'Why; it is kept in the event log' },
    data: { ...dataOption, about: `${dataOption.about}; nothing is recorded` },
  },
  more: () => 'If it fails after it has begun to write (exit code 1), what was written is not to be trusted.\n',
  run: async (given, io) => {
    const messageId = messageIdIn(given)
    const password = passwordIn(given.text('password-file'), io.cwd)
    const data = given.optional('data')
    const [headers, reason] = [given.flag('headers'), given.optional('reason')]
    if (data !== undefined && (headers || reason !== undefined))
      throw new UsageError('--headers and --reason are for a running gateway: leave --data out')
    if (data !== undefined)
      await onData(given, io, (offline) => writeOctets(io.stdout, offline.open(messageId, password)))
    else {
      const body = { password: password.reveal(), ...(reason !== undefined && { reason }) }
      const path = `${messagePath(messageId)}/open${headers ? '?part=headers' : ''}`
      await writeOctets(io.stdout, await running(given, io).octets('POST', path, body))
    }
    return undefined
  },
}
