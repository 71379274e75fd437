import { mkdirSync, readFileSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ScratchGateway } from '../../ops/scratchGateway.ts'
import { apiOf } from '../support/apiClient.ts'
import { smallDiskTest } from '../support/peers.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { withoutTrace } from '../support/roundTrip.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { until } from '../support/until.ts'

const small = Buffer.alloc(20_000, 'Subject: small\r\n')
const large = Buffer.alloc(600_000, 'Subject: large\r\n')

/** Leaves so many octets free. */
const fillUp = (disk: string, free: number) => {
  const ballast = join(disk, 'ballast')
  const { bavail, bsize } = statfsSync(disk)
  writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - free)))
  return ballast
}

/** Fills what is free page by page, until not one is left. */
const takeTheRest = (ballast: string) => {
  try {
    for (;;) writeFileSync(ballast, Buffer.alloc(4096), { flag: 'a' })
  } catch (error) {
    assert.is((error as NodeJS.ErrnoException).code, 'ENOSPC')
  }
}

/** Reading the log is recorded first: where there is no room for that it is refused, and says why. What leaves nothing is given. */
const readOnAFullDisk = async (gateway: ScratchGateway) => {
  const api = apiOf(gateway)
  const token = readFileSync(join(gateway.data, 'admin.token'), 'utf8').trim()
  const { status, code } = await api('GET', '/v1/events', { token })
  assert.ok(status === 200 || (status === 507 && code === 'storage-full'), `${status} ${code}`)
  for (const path of ['/v1/mailboxes', '/v1/status', '/metrics', '/healthz'])
    assert.is((await api('GET', path, { token })).status, 200, path)
  assert.match(await gateway.command('events', '--data', gateway.data, '--type', 'MailboxCreated'), 'MailboxCreated')
}

smallDiskTest(
  test,
  24,
  'a full disk puts mail off with 452 and no acknowledged mail is lost; room makes it go on by itself',
  async (disk) => {
    const data = join(disk, 'data')
    mkdirSync(data)
    const gateway = await startTestGateway({ data, env: { SEALPOST_LIMITS_DISK_RESERVE: '0' } })
    const { address, mailboxId, password } = await gateway.createMailbox('--name', 'full')
    const ballast = fillUp(disk, 6 << 20)

    const sender = await smtpClient(gateway.ports.smtp)
    const acknowledged: Buffer[] = []
    const refused: string[] = []
    for (let sent = 0; refused.length < 4 && sent < 2000; sent++) {
      const mail = Buffer.concat([Buffer.from(`X-Number: ${sent}\r\n`), sent % 20 === 19 ? large : small])
      const reply = await sender.deliver(address, mail)
      if (reply.startsWith('250')) acknowledged.push(mail)
      else refused.push(reply)
    }
    assert.is(refused.length, 4)
    for (const reply of refused) assert.match(reply, /^452 4\.3\.1 /, gateway.output())

    await readOnAFullDisk(gateway)
    rmSync(ballast)
    const again = Buffer.from('Subject: room again\r\n\r\nok\r\n')
    const recovered = await sender.deliver(address, again)
    assert.ok(recovered.startsWith('250 '), recovered)
    assert.match(await gateway.command('events', '--type', 'MailboxCreated'), mailboxId)
    await sender.quit()

    // The views are on the same disk, and look for room once a second.
    const archive = await until(async () => {
      const client = await pop3Client(gateway.ports.pop3s)
      const login = await client.login(mailboxId, password)
      if (login.startsWith('+OK')) return client
      assert.match(login, /^-ERR \[SYS\/TEMP\]/)
      await client.quit()
      return undefined
    })
    const expected = [...acknowledged, again]
    assert.match(await archive.command('STAT'), new RegExp(`^\\+OK ${expected.length} `), gateway.output())
    for (const [index, mail] of expected.entries())
      assert.ok(withoutTrace(await archive.retrieve(index + 1)).equals(mail), `message ${index + 1}`)
    await archive.quit()
    assert.is(await gateway.stop(), 0)
  },
)

smallDiskTest(test, 24, 'a gateway that can write nothing any more still stops when it is told to', async (disk) => {
  const data = join(disk, 'data')
  mkdirSync(data)
  const gateway = await startTestGateway({ data, env: { SEALPOST_LIMITS_DISK_RESERVE: '0' } })
  const { address } = await gateway.createMailbox('--name', 'full')
  const sender = await smtpClient(gateway.ports.smtp)
  await sender.deliver(address, small)
  const ballast = fillUp(disk, 1 << 20)
  let reply = '250'
  for (let sent = 0; reply.startsWith('250') && sent < 500; sent++) reply = await sender.deliver(address, small)
  assert.match(reply, /^452 /)
  takeTheRest(ballast)
  await sender.quit()
  const another = gateway.createMailbox('--name', 'another').then(
    () => 'it was recorded',
    () => 'refused',
  )
  assert.is(await another, 'refused')
  const outcome = await Promise.race([gateway.stop(), delay(20_000, 'it still runs')])
  assert.is(outcome, 0)
})

smallDiskTest(
  test,
  24,
  'below the reserve mail is put off before its data, and taken again when there is room, without a hand',
  async (disk) => {
    const data = join(disk, 'data')
    mkdirSync(data)
    const gateway = await startTestGateway({ data, env: { SEALPOST_LIMITS_DISK_RESERVE: '8MiB' } })
    const { address } = await gateway.createMailbox('--name', 'reserve')
    const sender = await smtpClient(gateway.ports.smtp)
    assert.match(await sender.deliver(address, small), /^250 /)
    const ballast = fillUp(disk, 6 << 20)
    const answers = (wanted: RegExp) => async () => {
      const reply = await sender.command('MAIL FROM:<a@example.com>')
      await sender.command('RSET')
      return wanted.test(reply)
    }
    await until(answers(/^452 4\.3\.1 /))
    rmSync(ballast)
    await until(answers(/^250 /))
    assert.match(await sender.deliver(address, small), /^250 /)
    assert.match(await sender.command(`MAIL FROM:<a@example.com> SIZE=${16 << 20}`), /^452 4\.3\.1 /)
    await sender.quit()
    assert.is(await gateway.stop(), 0)
  },
)

smallDiskTest(
  test,
  24,
  'a start on a full disk serves, or ends with one sentence that says so; with room it serves',
  async (disk) => {
    const data = join(disk, 'data')
    mkdirSync(data)
    const env = { SEALPOST_LIMITS_DISK_RESERVE: '0' }
    const first = await startTestGateway({ data })
    const { address } = await first.createMailbox('--name', 'full at start')
    assert.is(await first.stop(), 0)
    const ballast = fillUp(disk, 0)
    takeTheRest(ballast)
    for (const room of [0, 72 << 10, 144 << 10]) {
      truncateSync(ballast, statSync(ballast).size - room)
      const said = await startTestGateway({ data, env }).then(
        async (gateway) => {
          await gateway.kill()
          return ''
        },
        (error: unknown) => String(error),
      )
      const sentences = said.split('\n').filter((line) => line.startsWith('sealpost: ') || line.startsWith('    at '))
      if (said !== '') assert.match(sentences.join('\n'), /^sealpost: .*(?:no room on the disk|disk is full).*$/, said)
    }
    rmSync(ballast)
    const again = await startTestGateway({ data, env })
    const sender = await smtpClient(again.ports.smtp)
    assert.match(await sender.deliver(address, small), /^250 /)
    await sender.quit()
    assert.is(await again.stop(), 0)
  },
)

test.run()
