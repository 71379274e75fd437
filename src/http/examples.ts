export type Schema = Readonly<Record<string, unknown>>

/** What stands in an example under a property's name; `*` after a name: whatever schema it is under. */
const words: Readonly<Record<string, unknown>> = {
  mailboxId: 'mbx-5d0c8f3a1b2c4d5e6f708192a3b4c5d6',
  messageId: '019cb2f0-7c1e-7a52-9d3b-2f6f5e8a1c04',
  senderId: 'snd-5d0c8f3a1b2c4d5e',
  sessionId: '019cb2f0-7bff-7d10-8e21-90b1f3c2d4e5',
  clientSessionId: '019cb2f0-7bff-7d10-8e21-90b1f3c2d4e5',
  id: '019cb2f0-7bff-7d10-8e21-90b1f3c2d4e5',
  name: 'Journal',
  address: 'mbx-5d0c8f3a1b2c4d5e6f708192a3b4c5d6@archive.example.com',
  aliases: 'journal@example.com',
  add: 'journal@example.com',
  remove: 'old@example.com',
  targets: 'pop.example.net:995',
  networks: '192.0.2.0/24',
  certificateNames: 'mail.example.com',
  password: 'hlpg-4nsg-skzo-2dnx-q7ra-5vwe-yt3b-mk6c',
  oldPassword: 'hlpg-4nsg-skzo-2dnx-q7ra-5vwe-yt3b-mk6c',
  newPassword: 'a long sentence that nobody guesses',
  recipient: 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudfe5sqqzac8p',
  identity: 'AGE-SECRET-KEY-1…',
  reason: 'Litigation 4711',
  directory: '/srv/backup/2026-03-03',
  remoteAddress: '192.0.2.7',
  host: 'gateway.example.com',
  remote: 'pop.example.net:995',
  userName: 'anna@example.net%pop.example.net%journal@example.com',
  target: 'pop.example.net:995',
  source: 'journal',
  principal: 'administrator:anna',
  node: 'one',
  stream: 'mailbox-mbx-5d0c8f3a1b2c4d5e6f708192a3b4c5d6',
  position: '0000000000001234',
  type: 'MessageReceived',
  what: 'received (journal)',
  object: '2026-03-03/019cb2f0-7c1e-7a52-9d3b-2f6f5e8a1c04',
  sealedSha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  machine: 'smtpSession',
  version: '1',
  cipher: 'TLS_AES_256_GCM_SHA384',
  event: 'rcpt mailbox',
  replies: '250/2.1.5',
  detail: 'No such mailbox here',
  title: 'Not Found',
  code: 'mailbox-unknown',
  status: 404,
  spf: 'pass',
  dkim: 'pass',
  port: 995,
  size: 10_500,
  wireSize: 10_520,
  octets: 10_500,
  octetsReceived: 10_500,
  octetsRetrieved: 10_500,
  sealedSize: 10_700,
  sealedOctets: 10_700,
  grace: 604_800,
}
const time = '2026-03-03T12:00:00.000Z'
const isTime = /(At|^at|^since|^until|^start|^expires|^lastUse\w*)$/

const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null

/** An example of what a schema describes; `name` is the property that it is under. */
export const exampleOf = (schema: Schema, name = ''): unknown => {
  if ('const' in schema) return schema['const']
  if (Array.isArray(schema['enum'])) return schema['enum'][0]
  const choices = schema['anyOf'] ?? schema['oneOf']
  if (Array.isArray(choices))
    return exampleOf(choices.filter(isSchema).find((one) => one['type'] !== 'null') ?? {}, name)
  switch (schema['type']) {
    case 'object':
      return Object.fromEntries(
        Object.entries((schema['properties'] ?? {}) as Readonly<Record<string, Schema>>).map(([key, one]) => [
          key,
          exampleOf(one, key),
        ]),
      )
    case 'array':
      return isSchema(schema['items']) ? [exampleOf(schema['items'], name)] : []
    case 'string':
      return textOf(name)
    case 'integer':
    case 'number':
      return typeof words[name] === 'number' ? words[name] : 1
    case 'boolean':
      return true
    case 'null':
      return null
    default:
      return {}
  }
}

const textOf = (name: string) => {
  if (isTime.test(name)) return time
  const word = words[name]
  return typeof word === 'string' ? word : 'text'
}
