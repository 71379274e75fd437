import type { Pop3Client } from '../support/pop3Client.ts'
import type { SmtpClient } from '../support/smtpClient.ts'
import { type Client, unlessClosed } from './clients.ts'
import { anyMail, Violation } from './ledger.ts'
import type { Providers } from './providers.ts'

const password = 'the password at the provider'

/** Sends some mails through the gateway to a provider, each with a copy into a mailbox; gives the last reply. */
export const submitSome = async (
  client: SmtpClient,
  { smtp }: Providers,
  { ledger, mailboxes, random }: Client,
): Promise<string> => {
  const index = random.whole(0, mailboxes.length - 1)
  const name = `sender-at-provider%localhost:${smtp.port}%${mailboxes[index]?.mailboxId}`
  let reply = await client.login(name, password)
  ledger.heard(reply)
  for (let times = random.whole(1, 4); times > 0 && reply.startsWith('2'); times--) {
    const mail = ledger.begin(index, 'smtp-proxy', anyMail(random))
    reply = await client.deliver('recipient@example.org', mail.bytes)
    ledger.replied(mail, reply)
  }
  await client.quit()
  return reply
}

/** Reads and deletes some mails at a provider through the gateway, each with a copy into a mailbox. Rejects when the login is put off. */
export const fetchSome = async (client: Pop3Client, providers: Providers, { ledger, mailboxes, random }: Client) => {
  const index = random.whole(0, mailboxes.length - 1)
  const name = `reader-at-provider%localhost:${providers.pop3.port}%${mailboxes[index]?.mailboxId}`
  const reply = await client.login(name, password)
  ledger.heard(reply)
  if (!reply.startsWith('+OK')) throw new Error(reply)
  for (let times = random.whole(1, 3); times > 0; times--) {
    const mail = ledger.begin(index, 'pop3-proxy', anyMail(random))
    const number = providers.offer(mail)
    for (let reads = random.whole(0, 2); reads > 0; reads--) {
      const read = await client.retrieve(number).catch(unlessClosed)
      if (!read) continue
      if (!read.equals(mail.bytes)) throw new Violation(`mail ${mail.name} was changed on its way from the provider`)
      ledger.recorded(mail)
    }
    if (random.chance(0.7)) await client.command(`DELE ${number}`)
  }
  await client.quit()
}
