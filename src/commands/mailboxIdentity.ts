import { buffer } from 'node:stream/consumers'
import type { Command, Given } from './command.ts'
import { mailboxPath, running } from './configured.ts'
import { writeJson, writeOctets } from './output.ts'

export const mailboxIdentity: Command = {
  name: 'mailbox identity',
  summary: "Write a mailbox's identity to standard output, an age file that its password opens",
  operands: ['ID'],
  options: {
    generation: { value: 'N', about: 'Of which key; otherwise the newest' },
    recovery: { about: 'As it is wrapped to the recovery recipient' },
  },
  run: async (given, io) => {
    const [id = ''] = given.operands
    const octets = await running(given, io).octets('GET', `${mailboxPath(id)}/identity?${queryOf(given)}`)
    if (given.flag('json')) await writeJson(io.stdout, { identity: (await buffer(octets)).toString('base64') })
    else await writeOctets(io.stdout, octets)
    return undefined
  },
}

const queryOf = (given: Given) => {
  const query = new URLSearchParams()
  const generation = given.optional('generation')
  if (generation !== undefined) query.set('generation', generation)
  if (given.flag('recovery')) query.set('wrapped', 'recovery')
  return query.toString()
}
