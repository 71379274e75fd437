import * as assert from 'uvu/assert'
import type { Delivery } from '../../src/archive.ts'
import { anySender, type SenderPolicy } from '../../src/core/senderPolicy.ts'
import type { MailboxId } from '../../src/core/ids.ts'
import { memorySenders } from '../support/memorySenders.ts'
import { addressBook, mailboxId, otherAddress } from '../wire/smtpTestServer.ts'
import { ownMailbox } from './smtpWords.ts'

type Asks = { readonly listener?: SenderPolicy; readonly mailbox?: SenderPolicy }

const permanent = { ...anySender, refusal: 'permanent' } as const
/** What is asked of senders: of all, or of who sends to the first mailbox. */
export const asking: Readonly<Record<string, Asks>> = {
  nothing: {},
  tls: { listener: { ...anySender, requires: ['tls'] } },
  token: { listener: { ...permanent, requires: ['token'] } },
  certificate: { mailbox: { ...permanent, requires: ['certificate'] } },
  network: { mailbox: { ...anySender, networks: ['198.51.100.0/24'] } },
  tokenThere: { mailbox: { ...anySender, requires: ['token'] } },
}

const hello = 'EHLO client.example\r\n'
const addressed = `MAIL FROM:<a@example.com>\r\nRCPT TO:<${ownMailbox}>\r\n`
/** What leads a session under TLS into the states of its login, and beyond: `{right}` is a message of PLAIN. */
export const securedOpenings: Readonly<Record<string, string>> = {
  strange: hello,
  challengedForAll: `${hello}AUTH PLAIN\r\n`,
  challenged: `${hello}AUTH LOGIN\r\n`,
  naming: `${hello}AUTH LOGIN\r\n{name}\r\n`,
  wrong: `${hello}AUTH PLAIN {wrong}\r\n`,
  known: `${hello}AUTH PLAIN {right}\r\n`,
  byParts: `${hello}AUTH LOGIN\r\n{name}\r\n{token}\r\n`,
  narrow: `${hello}AUTH PLAIN {narrow}\r\nMAIL FROM:<a@example.com>\r\n`,
  unasked: `${hello}${addressed}DATA\r\n`,
  sending: `${hello}AUTH PLAIN {right}\r\n${addressed}DATA\r\n`,
  again: `${hello}AUTH PLAIN {right}\r\n${addressed}RSET\r\n`,
}

const base64 = (text: string) => Buffer.from(text).toString('base64')
const day = 86_400_000
const other = addressBook.get(otherAddress)?.mailboxId as MailboxId

/** Two who send with a token: one to every mailbox, one to the second alone. */
export const askedSenders = async () => {
  // Nobody waits for what was guessed in another session.
  let days = 20_000
  const { senders, cause, close } = memorySenders({ clock: { now: () => new Date(days * day) } })
  const [right, narrow] = [
    await senders.issue({ name: 'all', mailboxes: null }, cause),
    await senders.issue({ name: 'one', mailboxes: [other] }, cause),
  ]
  const words = new Map([
    ['{name}', base64(right.senderId)],
    ['{token}', base64(right.token.reveal())],
    ['{right}', base64(`\0${right.senderId}\0${right.token.reveal()}`)],
    ['{narrow}', base64(`\0${narrow.senderId}\0${narrow.token.reveal()}`)],
    ['{wrong}', base64(`\0${right.senderId}\0${narrow.token.reveal()}`)],
  ])
  return {
    senders,
    close,
    /** A session of its own begins. */
    next: () => void (days += 1),
    /** What is said, with those words in the place of their names. */
    said: (octets: string) => octets.replaceAll(/\{[a-z]+\}/g, (name) => words.get(name) ?? name),
    /** Throws for a word that nobody may be told. */
    mustHide: (text: string) => {
      for (const { token } of [right, narrow]) assert.not.ok(text.includes(token.reveal()), text)
    },
    /** Throws unless who has sent it has shown what was asked. */
    mustBeShown: ({ listener, mailbox }: Asks, secure: boolean, { senderId, mailboxId: to }: Delivery) => {
      const policies = [listener, to === mailboxId ? mailbox : undefined].filter((one) => one !== undefined)
      for (const { requires, networks } of policies) {
        assert.equal(networks, [])
        assert.ok(secure && !requires.includes('certificate'))
        assert.ok(!requires.includes('token') || senderId !== undefined)
      }
      assert.ok(senderId === undefined || senderId === right.senderId || to === other, 'the token is for this mailbox')
    },
  }
}
