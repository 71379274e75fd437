import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pop3Client } from '../support/pop3Client.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { startTestGateway } from '../support/testGateway.ts'

// A directory that is renamed away is to the gateway what a file system is that is not mounted any more.

const shared = mkdtempSync(join(tmpdir(), 'sealpost-away-'))
const [vault, keys] = [join(shared, 'vault'), join(shared, 'keys')]
const env = { SEALPOST_VAULT_ENGINE: 'files', SEALPOST_VAULT_DIR: vault, SEALPOST_KEYS_DIR: keys }
const mail = Buffer.from('Subject: away\r\n\r\nwhere does it lie\r\n')

const unmounted = async (directory: string, work: () => Promise<void>) => {
  renameSync(directory, `${directory}.mounted`)
  mkdirSync(directory)
  await work()
  assert.equal(readdirSync(directory), [], 'what was written beside the mount')
  rmSync(directory, { recursive: true })
  renameSync(`${directory}.mounted`, directory)
}

const deliver = async (port: number, address: string) => {
  const client = await smtpClient(port)
  const reply = await client.deliver(address, mail)
  await client.quit()
  return reply
}

const answerTo = async (port: number, user: string, password: string) => {
  const client = await pop3Client(port)
  const greeting = await client.login(user, password)
  const got = greeting.startsWith('+OK') ? await client.command('RETR 1') : greeting
  await client.quit()
  return got
}

test('while vault or keys are away nothing is acknowledged, nothing is made and nobody is told that his password is wrong', async () => {
  const gateway = await startTestGateway({ env })
  const { mailboxId, address, password } = await gateway.createMailbox('--name', 'away')
  assert.match(await deliver(gateway.ports.smtp, address), /^250 /)
  await unmounted(vault, async () => {
    assert.match(await deliver(gateway.ports.smtp, address), /^451 /)
    assert.match(await answerTo(gateway.ports.pop3s, mailboxId, password), /^-ERR \[SYS\/TEMP\]/)
  })
  await unmounted(keys, async () => {
    assert.match(await answerTo(gateway.ports.pop3s, mailboxId, password), /^-ERR \[SYS\/TEMP\]/)
    const made = await gateway.command('mailbox', 'create', '--name', 'none').catch((error: unknown) => String(error))
    assert.match(made, /Storage is not available/)
  })
  assert.match(await deliver(gateway.ports.smtp, address), /^250 /)
  assert.match(await answerTo(gateway.ports.pop3s, mailboxId, password), /^\+OK/)

  assert.is(await gateway.stop(), 0)
  for (const directory of [vault, keys])
    await unmounted(directory, async () => {
      const start = await startTestGateway({ data: gateway.data, env }).catch((error: unknown) => error)
      assert.match(
        String(start),
        /is not the one of the last start: it has no \.sealpost\. Is its file system mounted\?/,
      )
    })
  const again = await startTestGateway({ data: gateway.data, env })
  assert.match(await answerTo(again.ports.pop3s, mailboxId, password), /^\+OK/)
  assert.is(await again.stop(), 0)
  assert.ok(existsSync(vault))
  gateway.remove()
})

test.after(() => rmSync(shared, { recursive: true }))

test.run()
