import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ScratchGateway } from '../../ops/scratchGateway.ts'
import type { BackupMade } from '../../src/backup/makeBackup.ts'
import { commandOn } from '../support/commandOn.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { withoutTrace } from '../support/roundTrip.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { until } from '../support/until.ts'

const test = suite('backup')
const scratch = mkdtempSync(join(tmpdir(), 'sealpost-backup-'))
const gateway = await startTestGateway()
const { address, mailboxId, password } = await gateway.createMailbox('--name', 'kept', '--alias', 'kept@gateway.test')
test.after(async () => {
  await gateway.stop()
  gateway.remove()
  rmSync(scratch, { recursive: true })
})

/** Every tenth is larger than what a pack takes. */
const mailOf = (number: number) =>
  Buffer.from(`X-Mail: ${number}\r\nSubject: kept\r\n\r\n${'All of it.\r\n'.repeat(number % 10 === 0 ? 30_000 : 100)}`)
const numberIn = (mail: Buffer) => Number(/^X-Mail: (\d+)/m.exec(mail.toString('latin1'))?.[1])

/** Four senders until told to stop; who was acknowledged, so far and in the end. */
const load = (of: ScratchGateway) => {
  const acknowledged: number[] = []
  let isOver = false
  let next = 1
  let wanted = Infinity
  const enough = Promise.withResolvers<undefined>()
  const send = async () => {
    const client = await smtpClient(of.ports.smtp)
    while (!isOver) {
      const number = next++
      assert.match(await client.deliver(address, mailOf(number)), /^250/)
      acknowledged.push(number)
      if (acknowledged.length >= wanted) enough.resolve(undefined)
    }
    await client.quit()
  }
  const senders = Array.from({ length: 4 }, send)
  return {
    acknowledged,
    reached: (count: number) => {
      wanted = count
      return enough.promise
    },
    stop: async () => {
      isOver = true
      await Promise.all(senders)
    },
  }
}

const retrieved = async (of: ScratchGateway): Promise<ReadonlyMap<number, Buffer>> => {
  const archive = await pop3Client(of.ports.pop3s)
  assert.match(await archive.login(mailboxId, password), /^\+OK/)
  const count = Number((await archive.command('STAT')).split(' ')[1])
  const mails = new Map<number, Buffer>()
  for (let number = 1; number <= count; number++) {
    const mail = withoutTrace(await archive.retrieve(number))
    mails.set(numberIn(mail), mail)
  }
  await archive.quit()
  return mails
}

const backup = async (directory: string) =>
  JSON.parse(await gateway.command('backup', directory, '--json')) as BackupMade

test('a backup taken under load passes every check, and the gateway restored from it serves all that was acknowledged before', async () => {
  const senders = load(gateway)
  await senders.reached(150)
  let backups = 0
  const underLoad = async () => {
    const before = [...senders.acknowledged]
    const directory = join(scratch, `underLoad${++backups}`)
    const made = await backup(directory)
    return senders.acknowledged.length > before.length && { before, directory, made }
  }
  const { before, directory, made } = await until(underLoad, 'mail that is taken while a backup is made')
  await senders.stop()
  assert.equal(readdirSync(directory).sort(), ['events.db', 'keys', 'keys.id', 'manifest.json', 'vault', 'vault.id'])
  assert.ok(made.files > 5 && made.position > 300)

  const verified = await commandOn(gateway, 'backup', 'verify', directory)
  assert.is(verified.code, 0, verified.stdout + verified.stderr)
  assert.match(verified.stdout, /All is as it was backed up/)

  const data = join(scratch, 'restored')
  cpSync(directory, data, { recursive: true })
  const checked = await commandOn(gateway, 'fsck', '--data', data)
  assert.is(checked.code, 0, checked.stdout)
  const restored = await startTestGateway({ data })
  const mails = await retrieved(restored)
  for (const number of before) assert.ok(mails.get(number)?.equals(mailOf(number)), `mail ${number}`)
  const client = await smtpClient(restored.ports.smtp)
  assert.match(await client.deliver('kept@gateway.test', mailOf(1)), /^250/)
  await client.quit()
  assert.is(await restored.stop(), 0)
  // What was looked at is as it was.
  assert.is((await commandOn(gateway, 'backup', 'verify', directory)).code, 0)
})

test('a changed, missing or strange file in a backup is named', async () => {
  const directory = join(scratch, 'damaged')
  await backup(directory)
  const [identity] = readdirSync(join(directory, 'keys/mailboxes', mailboxId))
  const damaged = join(directory, 'keys/mailboxes', mailboxId, String(identity))
  const octets = readFileSync(damaged)
  octets[octets.length - 1] = (octets.at(-1) ?? 0) ^ 1
  writeFileSync(damaged, octets)
  rmSync(join(directory, 'vault.id'))
  writeFileSync(join(directory, 'stray'), '')
  const { code, stdout } = await commandOn(gateway, 'backup', 'verify', directory, '--json')
  assert.is(code, 1)
  const { problems } = JSON.parse(stdout) as { problems: readonly string[] }
  assert.ok(problems.includes(`keys/mailboxes/${mailboxId}/${String(identity)} is not the one that was backed up.`))
  assert.ok(problems.includes('vault.id is missing.'))
  assert.ok(problems.includes('stray does not belong to the backup.'))
  assert.ok(problems.some((problem) => problem.includes('its identity of generation 1')))
})

test('a directory that exists, or lies in what is backed up, or is half made, is refused with what to do', async () => {
  const existing = join(scratch, 'existing')
  mkdirSync(existing)
  assert.match((await commandOn(gateway, 'backup', existing)).stderr, /exists already/)
  assert.match(
    (await commandOn(gateway, 'backup', join(gateway.data, 'vault/copy'))).stderr,
    /which it is to be a backup of/,
  )
  const interrupted = join(scratch, 'interrupted')
  mkdirSync(`${interrupted}.partial`)
  assert.match((await commandOn(gateway, 'backup', interrupted)).stderr, /was interrupted\. If none is, remove it/)
  assert.match((await commandOn(gateway, 'backup', join(scratch, 'nowhere/copy'))).stderr, /ENOENT/)
  assert.match((await commandOn(gateway, 'backup', 'verify', existing)).stderr, /not a backup that was finished/)
  assert.equal(
    readdirSync(scratch).filter((name) => name.endsWith('.partial')),
    ['interrupted.partial'],
  )
})

test('without its gateway a data directory is backed up too, with it only by way of it', async () => {
  const running = await commandOn(gateway, 'backup', join(scratch, 'offline'), '--data', gateway.data)
  assert.is(running.code, 1)
  assert.match(running.stderr, /stop it first/)
  const data = join(scratch, 'restored')
  const offline = join(scratch, 'offline')
  assert.is((await commandOn(gateway, 'backup', offline, '--data', data)).code, 0)
  assert.is((await commandOn(gateway, 'backup', 'verify', offline)).code, 0)
  assert.not(existsSync(`${offline}.partial`))
  // Nothing is left beside the databases that were read.
  assert.equal(
    readdirSync(join(data, 'vault/packs')).filter((name) => !name.endsWith('.db')),
    [],
  )
})

test.run()
