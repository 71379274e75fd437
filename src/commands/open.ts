import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Secret } from '../core/secret.ts'
import { failed } from './client.ts'
import { type Command, dataOption } from './command.ts'
import { messagePath, running } from './configured.ts'
import { messageIdIn } from './messageId.ts'
import { onData } from './offlineData.ts'
import { writeOctets } from './output.ts'

export const open: Command = {
  name: 'open',
  summary: 'Open a message with the password of its mailbox and write it to standard output',
  operands: ['MESSAGE_ID'],
  options: {
    'password-file': { value: 'FILE', about: 'Holds the password; - for standard input', required: true },
    data: { ...dataOption, about: `${dataOption.about}; nothing is recorded` },
  },
  more: () => 'If it fails after it has begun to write (exit code 1), what was written is not to be trusted.\n',
  run: async (given, io) => {
    const messageId = messageIdIn(given)
    const password = passwordIn(given.text('password-file'), io.cwd)
    const data = given.optional('data')
    if (data !== undefined)
      await onData(given, io, (offline) => writeOctets(io.stdout, offline.open(messageId, password)))
    else {
      const body = { password: password.reveal() }
      await writeOctets(io.stdout, await running(given, io).octets('POST', `${messagePath(messageId)}/open`, body))
    }
    return undefined
  },
}

/** The file's one line; the end of the line is not part of the password. */
const passwordIn = (file: string, cwd: string): Secret => {
  const password = contentOf(file, cwd).replace(/\r?\n$/, '')
  if (password === '') throw failed(`There is no password in ${file}`)
  if (password.includes('\n')) throw failed(`There is more than one line in ${file}`)
  return new Secret(password)
}

const contentOf = (file: string, cwd: string) => {
  try {
    return readFileSync(file === '-' ? 0 : resolve(cwd, file), 'utf8')
  } catch (error) {
    throw failed(`The password cannot be read: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}
