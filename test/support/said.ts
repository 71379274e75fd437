import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Nothing shorter tells anybody anything, and it would be found by chance. */
const tellingLength = 6
/** Lines of one mail that are remembered: the first ones, where its header is. */
const linesOfMail = 40

const words = new Set<string>()

/** Remembers what a test's client says to a gateway: names, addresses, credentials. */
export const say = (...texts: readonly string[]): void => {
  for (const text of texts) if (text.length >= tellingLength) words.add(text)
}

/** For those who say so much that it would take long to look for all of it: what was said until now is not looked for any more. */
export const forgetSaid = (): void => words.clear()

export const sayMail = (bytes: Uint8Array): void => {
  const head = Buffer.from(bytes.subarray(0, 16 * 1024)).toString('latin1')
  say(...head.split(/[\r\n]+/).slice(0, linesOfMail))
}

const address = /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g
const folders = ['gateway', 'peers', 'crash', 'support']

/** Every address that stands in the sources of the end-to-end tests: what real clients are told to say. */
const addressesInTests = (): readonly string[] =>
  folders.flatMap((folder) =>
    readdirSync(join(import.meta.dirname, '..', folder))
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => readFileSync(join(import.meta.dirname, '..', folder, name), 'utf8').match(address) ?? []),
  )

/** Everything that was said so far and what the tests' sources say; ids of mailboxes and senders, which the log may hold, left out. */
export const everythingSaid = (): readonly string[] => {
  say(...addressesInTests())
  return [...words].filter((word) => !/^(?:mbx-[0-9a-f]{32}|snd-[0-9a-f]{16})$/.test(word))
}

/** What administrators type themselves: names, aliases, reasons. */
const typedByAdministrators = [
  'MailboxCreated',
  'MailboxRenamed',
  'MailboxAliasesChanged',
  'MailboxSuspended',
  'MailboxProxyLimited',
  'MailboxSenderPolicySet',
  'MailboxDeleted',
  'HoldPlaced',
  'HoldReleased',
  'AliasReserved',
  'AliasReleased',
]

/** Words that an exported log holds although no administrator has typed them. */
export const wordsIn = (exported: readonly { readonly type: string }[], searched: readonly string[]) => {
  const log = exported
    .filter(({ type }) => !typedByAdministrators.includes(type))
    .map((event) => JSON.stringify(event))
    .join('\n')
  return searched.filter((word) => log.includes(JSON.stringify(word).slice(1, -1)))
}
