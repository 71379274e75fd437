import { buffer } from 'node:stream/consumers'
import type { Command } from './command.ts'
import { mailboxPath, running } from './configured.ts'
import { writeJson, writeOctets } from './output.ts'

export const mailboxIdentity: Command = {
  name: 'mailbox identity',
  summary: "Write a mailbox's identity to standard output, an age file that its password opens",
  operands: ['ID'],
  options: {},
  run: async (given, io) => {
    const [id = ''] = given.operands
    const octets = await running(given, io).octets('GET', `${mailboxPath(id)}/identity`)
    if (given.flag('json')) await writeJson(io.stdout, { identity: (await buffer(octets)).toString('base64') })
    else await writeOctets(io.stdout, octets)
    return undefined
  },
}
