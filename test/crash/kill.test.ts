import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { scratchEnv } from '../../ops/scratchGateway.ts'
import { loadConfig } from '../../src/config.ts'
import { fsck } from '../../src/fsck.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { withoutTrace } from '../support/roundTrip.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { startTestGateway } from '../support/testGateway.ts'

const rounds = Number(process.env['SEALPOST_KILL_ROUNDS'] ?? 12)
const connections = 6

/** A mail that says which it is; every tenth is larger than a pack takes. */
const mailOf = (label: string, number: number) =>
  Buffer.from(
    `X-Mail: ${label}\r\nSubject: kill\r\n\r\n${`line of ${label}\r\n`.repeat(number % 10 === 9 ? 30_000 : 100)}`,
  )

test(`SIGKILL at random moments under load, ${rounds} rounds: every mail answered with 250 is there, byte for byte, and no event lacks its object`, async () => {
  const first = await startTestGateway()
  const { data, ports } = first
  const { address, mailboxId, password } = await first.createMailbox('--name', 'kill')
  await first.stop()
  const acknowledged = new Map<string, Buffer>()

  const send = async (label: string) => {
    const client = await smtpClient(ports.smtp)
    for (let number = 0; ; number++) {
      const name = `${label}-${number}`
      const mail = mailOf(name, number)
      if ((await client.deliver(address, mail)).startsWith('250 ')) acknowledged.set(name, mail)
    }
  }
  for (let round = 0; round < rounds; round++) {
    const gateway = await startTestGateway({ data, ports })
    const senders = Array.from({ length: connections }, (_, one) => send(`${round}-${one}`).catch(() => undefined))
    await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 300))
    await gateway.kill()
    await Promise.all(senders)
  }

  const report = await fsck({ config: loadConfig({ cwd: data, env: scratchEnv(data, ports) }), repair: false })
  assert.equal(report.problems, [])

  const gateway = await startTestGateway({ data, ports })
  const archive = await pop3Client(ports.pop3s)
  assert.ok((await archive.login(mailboxId, password)).startsWith('+OK'))
  const count = Number((await archive.command('STAT')).split(' ')[1])
  assert.ok(count >= acknowledged.size, `${count} of ${acknowledged.size}`)
  for (let number = 1; number <= count; number++) {
    const mail = withoutTrace(await archive.retrieve(number))
    const name = /^X-Mail: (\S+)/.exec(mail.toString('latin1', 0, 100))?.[1] ?? ''
    const sent = acknowledged.get(name)
    if (sent) assert.ok(mail.equals(sent), name)
    acknowledged.delete(name)
  }
  assert.equal([...acknowledged.keys()], [], 'acknowledged and not retrievable')
  await archive.quit()
  await gateway.stop()
  gateway.remove()
})

test.run()
