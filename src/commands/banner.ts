import type { Config } from '../config.ts'
import type { Gateway } from '../gateway.ts'
import { version } from '../version.ts'
import { program } from './arguments.ts'
import { facts } from './output.ts'

type Running = Pick<Gateway, 'addresses' | 'fingerprint' | 'certificateCreated' | 'hasMailboxes' | 'firstPassword'>
type Address = Running['addresses'][number]

/** What a person who has just started the gateway needs to know: where it listens, and what to do next. */
export const banner = (gateway: Running, config: Config, onTerminal = false): string => {
  const { addresses, fingerprint, certificateCreated } = gateway
  const listeners = addresses.map((address) => [names[address.protocol], placeOf(address)] as const)
  const rest = [
    ['Data', config.gateway.data],
    [certificateCreated ? 'New certificate' : 'Certificate', `SHA-256 ${fingerprint}`],
  ] as const
  return `\nSealpost ${version} is running.\n\n${indented(facts([...listeners, ...rest]))}\n${firstLogin(gateway, onTerminal)}${whatNext(gateway, config)}\n`
}

const names: Readonly<Record<Address['protocol'], string>> = {
  smtp: 'SMTP (STARTTLS)',
  smtps: 'SMTP (TLS)',
  submission: 'Mail clients (STARTTLS)',
  submissions: 'Mail clients (TLS)',
  pop3: 'POP3 (STLS)',
  pop3s: 'POP3 (TLS)',
  https: 'Admin API',
  acme: 'ACME (HTTP-01)',
  'mta-sts': 'MTA-STS policy',
}

const placeOf = ({ protocol, host, port }: Address) => {
  const at = `${host.includes(':') ? `[${host}]` : host}:${port}`
  if (protocol === 'https') return `https://${at}/v1`
  return host === '::' || host === '0.0.0.0' ? `port ${port}, on every address of this machine` : at
}

/** The password itself is for the eyes of whoever started it, and for no journal. */
const firstLogin = ({ firstPassword }: Running, onTerminal: boolean) => {
  if (!firstPassword) return ''
  const { name, password, file } = firstPassword
  const shown = onTerminal ? `${password.reveal()} (also in ${file})` : `in ${file}`
  return `The first administrator is "${name}". Password for once, for a day: ${shown}\n\n`
}

const indented = (text: string) => text.replaceAll(/^(?=.)/gm, '  ')

const whatNext = ({ hasMailboxes, addresses }: Running, { gateway: { domain } }: Config) => {
  const [smtp, pop3s] = [portOf(addresses, 'smtp', 'smtps'), portOf(addresses, 'pop3s', 'pop3')]
  if (hasMailboxes) return `Mailboxes: ${program} mailbox list\nStop with Ctrl-C.\n`
  const trial = `Addresses end in @${domain}, which is good for a trial on this machine only: say gateway.domain\nin sealpost.toml before you go on (see: ${program} config --help).\n`
  return `Next:
  1. Make a mailbox; it tells you its address and, this once, its password:
       ${program} mailbox create --name "Journal"
  2. Point the journal rule of your mail server at that address${smtp === undefined ? '' : `, by way of port ${smtp} of this machine`}.
  3. Let your archive collect the mail over POP3 with TLS${pop3s === undefined ? '' : ` from port ${pop3s}`}, with the mailbox id as user name.
${domain === 'localhost' ? `\n${trial}` : ''}
Stop with Ctrl-C.
`
}

const portOf = (addresses: readonly Address[], ...protocols: readonly Address['protocol'][]) =>
  protocols
    .map((protocol) => addresses.find((address) => address.protocol === protocol)?.port)
    .find((port) => port !== undefined)
