import type { Command } from './command.ts'
import { mailboxPath, running } from './configured.ts'
import { facts, write, writeJson } from './output.ts'

/** A mailbox as the admin API shows it. */
export type MailboxAnswer = {
  readonly mailboxId: string
  readonly name: string
  readonly address: string
  readonly aliases: readonly string[]
  readonly state: string
  readonly hold: { readonly reason: string; readonly since: string } | null
  readonly recipient: string
  readonly generation: number
  readonly generations: readonly {
    readonly generation: number
    readonly createdAt: string
    readonly wrappedTo: 'password' | number
    readonly recovery: object | null
  }[]
  readonly recovery: string | null
  readonly proxy: { readonly targets: readonly string[]; readonly networks: readonly string[] }
  readonly senderPolicy: {
    readonly networks: readonly string[]
    readonly requires: readonly string[]
    readonly certificateNames: readonly string[]
    readonly refusal: string
  }
  /** Seconds; null: what is configured. */
  readonly grace: number | null
  readonly createdAt: string
  readonly revision: number
  /** Null while the views are being built. */
  readonly messages: number | null
}

export const mailboxShow: Command = {
  name: 'mailbox show',
  summary: 'Show a mailbox, by its id, address or alias',
  operands: ['ID'],
  options: {},
  run: async (given, io) => {
    const [id = ''] = given.operands
    const mailbox = await running(given, io).get<MailboxAnswer>(mailboxPath(id))
    if (given.flag('json')) await writeJson(io.stdout, mailbox)
    else await write(io.stdout, factsOf(mailbox))
    return undefined
  },
}

const factsOf = (mailbox: MailboxAnswer) =>
  facts([
    ['Mailbox', mailbox.mailboxId],
    ['Name', mailbox.name],
    ['Address', mailbox.address],
    ['Aliases', mailbox.aliases.join(' ') || '-'],
    ['State', mailbox.state],
    ['Grace after deletion', mailbox.grace === null ? 'as configured' : `${mailbox.grace} s`],
    ['Proxy servers', mailbox.proxy.targets.join(' ') || 'all that are listed'],
    ['Proxy clients', mailbox.proxy.networks.join(' ') || 'from everywhere'],
    ['Senders', sendersText(mailbox.senderPolicy)],
    ...(mailbox.hold ? ([['Held', `since ${mailbox.hold.since}: ${mailbox.hold.reason}`]] as const) : []),
    ['Messages', mailbox.messages === null ? 'being counted' : String(mailbox.messages)],
    ['Created', mailbox.createdAt],
    ['Recipient', mailbox.recipient],
    ...mailbox.generations.map((one) => [`Key ${one.generation}`, keyText(one)] as const),
    ['Recovery', mailbox.recovery ?? 'nobody'],
    ['Revision', String(mailbox.revision)],
  ])

const sendersText = ({ networks, requires, certificateNames, refusal }: MailboxAnswer['senderPolicy']) => {
  const asked = [
    ...(networks.length > 0 ? [`from ${networks.join(' ')}`] : []),
    ...requires.map((one) => `with ${one}`),
    ...(certificateNames.length > 0 ? [`with a certificate for ${certificateNames.join(' or ')}`] : []),
  ]
  return asked.length === 0 ? 'everybody' : `${asked.join(', ')}; a ${refusal} refusal for others`
}

const keyText = ({ createdAt, wrappedTo, recovery }: MailboxAnswer['generations'][number]) => {
  const opener = wrappedTo === 'password' ? 'a password' : `key ${wrappedTo}`
  return `made ${createdAt}, opened by ${opener}${recovery ? ' or the recovery identity' : ''}`
}
