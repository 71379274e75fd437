import * as assert from 'uvu/assert'
import { pop3Client } from '../support/pop3Client.ts'

/** Every mail of a mailbox over POP3, in order, each found as large as LIST says. */
export const retrieved = async (
  port: number,
  { mailboxId, password }: { readonly mailboxId: string; readonly password: string },
): Promise<readonly Buffer[]> => {
  const archive = await pop3Client(port)
  assert.ok((await archive.login(mailboxId, password)).startsWith('+OK'))
  const sizes = (await archive.list('LIST')).toString().trim().split('\r\n')
  const mails: Buffer[] = []
  for (const size of sizes) {
    const number = mails.length + 1
    const mail = await archive.retrieve(number)
    assert.is(size, `${number} ${mail.length}`)
    mails.push(mail)
  }
  await archive.quit()
  return mails
}
