import type { Command } from './command.ts'
import { mailboxPath, running } from './configured.ts'
import { writeOctets } from './output.ts'

export const mailboxClientSetup: Command = {
  name: 'mailbox client-setup',
  summary: 'Print what a mail program needs to send and receive by way of the gateway',
  operands: ['ID'],
  options: {
    server: { value: 'SERVER', about: "The provider's POP3 server, such as pop.example.net:995", required: true },
    'smtp-server': { value: 'SERVER', about: "The provider's SMTP server; otherwise the same" },
    user: { value: 'USER', about: 'Who it is for, at the provider; otherwise each user enters it' },
    autoconfig: { about: "Print Thunderbird's autoconfiguration file" },
  },
  run: async (given, io) => {
    const [id = ''] = given.operands
    const format = given.flag('json') ? 'json' : given.flag('autoconfig') ? 'autoconfig' : 'text'
    const query = new URLSearchParams({ server: given.text('server'), format })
    const [smtpServer, user] = [given.optional('smtp-server'), given.optional('user')]
    if (smtpServer !== undefined) query.set('smtpServer', smtpServer)
    if (user !== undefined) query.set('user', user)
    await writeOctets(
      io.stdout,
      await running(given, io).octets('GET', `${mailboxPath(id)}/client-setup?${query.toString()}`),
    )
    if (format === 'json') io.stdout.write('\n')
    return undefined
  },
}
