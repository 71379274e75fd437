import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { smallDiskTest } from '../support/peers.ts'
import { type Pop3Client, pop3Client } from '../support/pop3Client.ts'
import { startProvider } from '../support/pop3Provider.ts'
import { startProxyGateway } from '../support/proxyGateway.ts'
import { storeDoubleProcess } from '../support/storeDoubleProcess.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { until } from '../support/until.ts'

// What a mail client cannot have recorded it does not get to its end, and cannot delete.

const test = suite('mail clients of a gateway that cannot record')
const authority = await testAuthority()
const provider = await startProvider(await authority.issue({ names: ['localhost'] }))
const password = 'the password at the provider'
const mailOf = (name: string, size = 0) => ({
  uidl: name,
  octets: Buffer.from(`Subject: ${name}\r\n\r\n${`${name.padEnd(70, '.')}\r\n`.repeat(1 + size / 72)}`),
})

test.before.each(() => {
  provider.heard.length = provider.deleted.length = 0
})
test.after(() => provider.close())

const loginAt = async (port: number, mailboxId: string) => {
  const client = await pop3Client(port)
  assert.match(await client.login(`anna%localhost:${provider.port}%${mailboxId}`, password), /^\+OK/)
  return client
}

/** While the log comes back, a login may be put off too. */
const loginSoon = (port: number, mailboxId: string) =>
  until(async () => {
    const client = await pop3Client(port)
    const answer = await client.login(`anna%localhost:${provider.port}%${mailboxId}`, password)
    if (answer.startsWith('+OK')) return client
    assert.match(answer, /^-ERR \[SYS\/TEMP\] /)
    client.wire.destroy()
    return undefined
  })

/** The first message is recorded, the second is not, the third is large. */
const isPutOff = async (client: Pop3Client) => {
  const put = /^-ERR \[SYS\/TEMP\] /
  assert.match(await client.command('RETR 2'), put)
  assert.match(await client.command('DELE 2'), put)
  assert.match(await client.command('TOP 2 9999'), put)
  assert.is(String(await client.retrieve(1)), provider.mails[0]?.octets.toString())
  assert.match(await client.command('STAT'), /^\+OK/)
  await assertBreaks(client)
  await provider.idle()
  assert.equal(provider.deleted, [])
  assert.not.ok(provider.heard.some((line) => line.startsWith('DELE') || line === 'QUIT'))
}
const assertBreaks = async (client: Pop3Client) => {
  const told = await client.retrieve(3).then(() => 'all of it', String)
  assert.match(told, /the connection closed/)
}

test('with the log away RETR and DELE are put off, what was recorded is still passed, nothing is deleted; with the log back all goes on', async () => {
  const store = await storeDoubleProcess()
  const env = { SEALPOST_LOG_ENGINE: 'eventstoredb', SEALPOST_LOG_URL: store.url, SEALPOST_PROXY_HOLD_TIMEOUT: '8' }
  const gateway = await startProxyGateway(authority, [provider.port], { env })
  const { mailboxId } = await gateway.createMailbox('--name', 'log away')
  provider.mails = [mailOf('first'), mailOf('second'), mailOf('third', 2_000_000)]
  const client = await loginAt(gateway.ports.pop3s, mailboxId)
  await client.retrieve(1)
  await store.kill()
  await isPutOff(client)
  await store.start()
  const again = await until(async () => {
    const loggedIn = await loginSoon(gateway.ports.pop3s, mailboxId)
    if ((await loggedIn.command('DELE 2')).startsWith('+OK')) return loggedIn
    loggedIn.wire.destroy()
    return undefined
  })
  await again.retrieve(3)
  assert.match(await again.quit(), /^\+OK/)
  assert.equal(provider.deleted, ['second'])
  assert.is(await gateway.stop(), 0)
  await store.remove()
  gateway.remove()
})

const fillUp = (disk: string, free: number) => {
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(Math.max(0, bavail * bsize - free)))
}

smallDiskTest(
  test,
  24,
  'with a full disk RETR and DELE are put off, what was recorded is still passed, nothing is deleted; with room all goes on',
  async (disk) => {
    const data = join(disk, 'data')
    mkdirSync(data)
    const gateway = await startProxyGateway(authority, [provider.port], { data })
    const { mailboxId } = await gateway.createMailbox('--name', 'full disk')
    const others = Array.from({ length: 100 }, (_, at) => mailOf(`other ${at}`, 200_000))
    provider.mails = [mailOf('first'), mailOf('second', 200_000), mailOf('third', 2_000_000), ...others]
    const client = await loginAt(gateway.ports.pop3s, mailboxId)
    await client.retrieve(1)
    fillUp(disk, 64 << 10)
    // What the vault has set aside for itself is used up.
    let read = 3
    while (read < provider.mails.length) if ((await client.retrieve(++read).catch(String)).includes('-ERR')) break
    assert.ok(read < provider.mails.length)
    await isPutOff(client)
    rmSync(join(disk, 'ballast'))
    const again = await loginAt(gateway.ports.pop3s, mailboxId)
    assert.match(await again.command('DELE 2'), /^\+OK/)
    await again.retrieve(3)
    assert.match(await again.quit(), /^\+OK/)
    assert.equal(provider.deleted, ['second'])
    assert.is(await gateway.stop(), 0)
  },
)

test.run()
