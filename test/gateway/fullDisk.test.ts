import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startScratchGateway } from '../../ops/scratchGateway.ts'
import { rootTest } from '../support/peers.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { withoutTrace } from '../support/roundTrip.ts'
import { smtpClient } from '../support/smtpClient.ts'

const small = Buffer.alloc(20_000, 'Subject: small\r\n')
const large = Buffer.alloc(600_000, 'Subject: large\r\n')

rootTest(
  test,
  'a full disk puts mail off with 452 and no acknowledged mail is lost; room makes it go on by itself',
  async () => {
    const mount = mkdtempSync(join(tmpdir(), 'sealpost-full-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', mount])
    const data = join(mount, 'data')
    const ballast = join(mount, 'ballast')
    mkdirSync(data)
    try {
      const gateway = await startScratchGateway({ data })
      const { address, mailboxId, password } = await gateway.createMailbox('--name', 'full')
      const { bavail, bsize } = statfsSync(mount)
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - (6 << 20))))

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

      rmSync(ballast)
      const again = Buffer.from('Subject: room again\r\n\r\nok\r\n')
      const recovered = await sender.deliver(address, again)
      assert.ok(recovered.startsWith('250 '), recovered)
      await sender.quit()

      const archive = await pop3Client(gateway.ports.pop3s)
      // The views are on the same disk, and look for room once a second.
      let login = await archive.login(mailboxId, password)
      for (let tries = 0; login.startsWith('-ERR [SYS/TEMP]') && tries < 10; tries++) {
        await delay(500)
        login = await archive.login(mailboxId, password)
      }
      assert.match(login, /^\+OK/)
      const expected = [...acknowledged, again]
      assert.match(await archive.command('STAT'), new RegExp(`^\\+OK ${expected.length} `), gateway.output())
      for (const [index, mail] of expected.entries())
        assert.ok(withoutTrace(await archive.retrieve(index + 1)).equals(mail), `message ${index + 1}`)
      await archive.quit()
      assert.is(await gateway.stop(), 0)
    } finally {
      execFileSync('umount', ['-l', mount])
      rmSync(mount, { recursive: true })
    }
  },
)

test.run()
