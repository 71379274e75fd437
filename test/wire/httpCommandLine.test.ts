import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { anySender } from '../../src/core/senderPolicy.ts'
import { GatewayError } from '../../src/core/errors.ts'
import type { AdminApi } from '../../src/http/buildApp.ts'
import { type Admin, startAdmin } from '../../src/http/admin.ts'
import { certificate } from '../../src/tls/selfSigned.ts'
import { commandHere } from '../support/commandHere.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { chunks, doubles, mailboxId, password, token } from './httpDoubles.ts'

const test = suite('http commandLine')
const world = doubles()
const { calls, mailboxExists, messageExists } = world
const data = mkdtempSync(join(tmpdir(), 'sealpost-'))

const clock = { now: () => new Date() }
const tls = await certificate({ keys: memoryKeys().keys, domain: 'archive.example.com', clock, addresses: [] })

const unusual: { sealed?: AdminApi['sealed'] } = {}
const api: AdminApi = { ...world.api, sealed: (object) => (unusual.sealed ?? world.api.sealed)(object) }
const admin: Admin = await startAdmin({ api, host: '127.0.0.1', port: 0, certificate: tls })
const url = `https://127.0.0.1:${admin.address?.port ?? 0}/`

const announced = (told: string, at = url) => {
  writeFileSync(join(data, 'admin.token'), `${told}\n`)
  writeFileSync(join(data, 'admin.crt'), tls.cert)
  writeFileSync(join(data, 'admin.url'), `${at}#1\n`)
}
test.before.each(() => {
  world.reset()
  delete unusual.sealed
  announced(token)
})
test.after(async () => {
  await admin.close()
  world.close()
  rmSync(data, { recursive: true })
})

const run = (...words: readonly string[]) => commandHere(words, { cwd: data, env: { SEALPOST_GATEWAY_DATA: data } })

const json = async <T>(...words: readonly string[]) => JSON.parse((await run(...words, '--json')).stdout) as T

test('mailbox create --json prints mailboxId, address and password, and nothing else', async () => {
  const created = await json(
    'mailbox',
    'create',
    '--name',
    'Finance',
    '--alias',
    'a@example.com',
    '--alias',
    'b@example.com',
  )
  assert.equal(created, { mailboxId, address: `${mailboxId}@archive.example.com`, password })
  assert.equal(calls[0]?.slice(0, 3), ['create', 'Finance', ['a@example.com', 'b@example.com']])
})

test('mailbox create tells the password and that it is not kept', async () => {
  const { stdout } = await run('mailbox', 'create', '--name', 'Finance')
  assert.match(stdout, new RegExp(`^Password +${password}$`, 'm'))
  assert.match(stdout, /it is not stored anywhere/)
})

test('changes are made in the name of the local user', async () => {
  await run('mailbox', 'create', '--name', 'Finance')
  assert.match(String(calls[0]?.[3]), /^local:[A-Za-z0-9._-]+$/)
  assert.is.not(calls[0]?.[3], 'local:unnamed')
})

test('what the gateway refuses is its sentence on standard error, with exit code 1', async () => {
  mailboxExists(mailboxId, 'Finance')
  const refused = {
    'mailbox show nobody': 'No such mailbox here',
    'mailbox create --name n --alias taken@example.com': 'That address already belongs to another mailbox',
    [`mailbox resume ${mailboxId}`]: 'The mailbox is not in a state that allows this',
  }
  for (const [words, said] of Object.entries(refused))
    assert.equal(await run(...words.split(' ')), { code: 1, stdout: '', stderr: `sealpost: ${said}\n` })
})

test('mailbox list goes through all pages', async () => {
  for (let number = 0; number < 1001; number++)
    mailboxExists(`mbx-${String(number).padStart(32, '0')}` as typeof mailboxId, `box ${number}`)
  const { mailboxes } = await json<{ mailboxes: unknown[] }>('mailbox', 'list')
  assert.is(mailboxes.length, 1001)
  assert.is((await run('mailbox', 'list')).stdout.split('\n').length, 1003)
})

test('mailbox sender-policy passes on what is asked of senders; without options nothing is', async () => {
  mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
  const asked = ['--network', '192.0.2.0/24', '--require', 'tls', '--require', 'token', '--refusal', 'permanent']
  const named = ['--certificate-name', 'mail.example.com']
  assert.is((await run('mailbox', 'sender-policy', 'finance', ...asked, ...named)).code, 0)
  assert.is((await run('mailbox', 'sender-policy', 'finance')).code, 0)
  const policy = { networks: ['192.0.2.0/24'], requires: ['tls', 'token'], certificateNames: ['mail.example.com'] }
  assert.equal(
    calls.map(([, , asked]) => asked),
    [{ ...policy, refusal: 'permanent' }, anySender],
  )
  assert.match((await run('mailbox', 'show', 'finance')).stdout, /^Senders +everybody$/m)
  assert.is((await run('mailbox', 'sender-policy', 'finance', '--require', 'magic')).code, 1)
})

test('sender issue shows the token once, list shows who there is, revoke ends it', async () => {
  mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
  const words = ['sender', 'issue', '--name', 'mail server', '--mailbox', 'finance']
  const { senderId, token: secret, mailboxes } = await json<Record<string, string>>(...words)
  assert.equal([mailboxes, secret?.startsWith('sealpost_sender_')], [[mailboxId], true])
  assert.match((await run('sender', 'list')).stdout, new RegExp(`^${senderId} .* 1 +mail server$`, 'm'))
  assert.is((await run('sender', 'revoke', String(senderId))).stdout, `${senderId} is revoked.\n`)
  assert.is((await run('sender', 'list')).stdout, 'There is no sender.\n')
  assert.is((await run('sender', 'revoke', String(senderId))).code, 1)
})

test('mailbox proxy passes on what may be reached and from where; without options nothing is limited', async () => {
  mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
  const targets = ['--target', 'pop.example.net:995', '--target', '*.example.org']
  assert.is((await run('mailbox', 'proxy', 'finance', ...targets, '--network', '192.0.2.0/24')).code, 0)
  assert.is((await run('mailbox', 'proxy', 'finance')).code, 0)
  assert.equal(
    calls.map(([, , limits]) => limits),
    [
      { targets: ['pop.example.net:995', '*.example.org'], networks: ['192.0.2.0/24'] },
      { targets: [], networks: [] },
    ],
  )
  assert.match((await run('mailbox', 'show', 'finance')).stdout, /^Proxy servers +all that are listed$/m)
})

test('mailbox client-setup prints what the API says, in each of its forms', async () => {
  mailboxExists(mailboxId, 'Finance')
  const words = ['mailbox', 'client-setup', mailboxId, '--server', 'pop.example.net', '--user', 'anna@example.com']
  assert.match((await run(...words)).stdout, /^ {2}User name +anna@example\.com%pop\.example\.net%mbx-/m)
  assert.match((await run(...words, '--autoconfig')).stdout, /^<\?xml/)
  const { sending } = await json<{ sending: { userName: string } }>(...words, '--smtp-server', 'smtp.example.net')
  assert.is(sending.userName, `anna@example.com%smtp.example.net%${mailboxId}`)
  assert.is((await run(...words.slice(0, 3), '--server', 'pop.example.org')).code, 1)
})

test('mailbox show takes an alias, and suspend passes the reason on', async () => {
  mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
  assert.match((await run('mailbox', 'show', 'finance@archive.example.com')).stdout, /^Name +Finance$/m)
  const { code } = await run('mailbox', 'suspend', 'finance', '--reason', 'left the company')
  assert.is(code, 0)
  assert.equal(calls[0]?.slice(0, 3), ['suspend', mailboxId, 'left the company'])
})

test('each change of a mailbox is one command, and prints the mailbox with --json', async () => {
  mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
  const commands: readonly (readonly [string, readonly unknown[]])[] = [
    ['rename finance --name Tax', ['rename', mailboxId, 'Tax']],
    [
      'alias finance --add a@b.example --remove c@d.example',
      ['changeAliases', mailboxId, ['a@b.example'], ['c@d.example']],
    ],
    ['hold finance --reason lawsuit', ['hold', mailboxId, 'lawsuit']],
    ['release finance --reason settled', ['release', mailboxId, 'settled']],
  ]
  for (const [words, call] of commands) {
    const { mailboxId: shown } = await json<{ mailboxId: string }>('mailbox', ...words.split(' '))
    assert.is(shown, mailboxId)
    assert.equal(calls.at(-1)?.slice(0, -1), call)
  }
  assert.is((await run('mailbox', 'alias', 'finance')).code, 2)
})

test('message list --json prints messages and next, and --after goes on', async () => {
  mailboxExists(mailboxId, 'Finance')
  const ids = [messageExists(), messageExists(), messageExists()]
  type Page = { messages: { messageId: string }[]; next: string | null }
  const list = (...words: string[]) => json<Page>('message', 'list', '--mailbox', mailboxId, '--limit', '2', ...words)
  const first = await list()
  const second = await list('--after', first.next ?? '')
  assert.equal(
    [...first.messages, ...second.messages].map(({ messageId }) => messageId),
    ids,
  )
  assert.equal(Object.keys(second), ['messages', 'next'])
  assert.is(second.next, null)
  const { stdout } = await run('message', 'list', '--mailbox', mailboxId, '--limit', '2')
  const [, next = ''] = /There are more: --after (\S+)\n$/.exec(stdout) ?? []
  assert.equal(await list('--after', next), second)
})

test('sealed, identity and open write octets and nothing else', async () => {
  mailboxExists(mailboxId, 'Finance')
  const messageId = messageExists()
  writeFileSync(join(data, 'password'), `${password}\n`)
  assert.is((await run('sealed', messageId)).stdout, 'age-encryption.org/v1\nsealed')
  assert.is((await run('mailbox', 'identity', mailboxId)).stdout, 'identity of generation 1')
  const opened = await run('open', messageId, '--password-file', 'password')
  assert.equal(opened, { code: 0, stdout: 'Subject: test\r\n\r\nbody\r\n', stderr: '' })
})

test('a wrong password opens nothing', async () => {
  mailboxExists(mailboxId, 'Finance')
  writeFileSync(join(data, 'password'), 'guess')
  const opened = await run('open', messageExists(), '--password-file', 'password')
  assert.equal(opened, { code: 1, stdout: '', stderr: 'sealpost: Wrong user name or password\n' })
})

test('a message that breaks off in the middle is a failure', async () => {
  mailboxExists(mailboxId, 'Finance')
  unusual.sealed = async function* () {
    yield* chunks('age-encryption.org/v1\n')
    throw new GatewayError('object-corrupt')
  }
  const { code, stderr } = await run('sealed', messageExists())
  assert.is(code, 1)
  assert.match(stderr, /^sealpost: .*not the whole/)
})

test('events prints one event a line, through all pages, as they are filtered', async () => {
  mailboxExists(mailboxId, 'Finance')
  for (let number = 0; number < 600; number++) messageExists()
  const lines = (await run('events')).stdout.trimEnd().split('\n')
  assert.is(lines.length, 1201)
  assert.is(
    lines.map((line) => JSON.parse(line) as { type: string }).filter(({ type }) => type === 'MessageSealed').length,
    600,
  )
  const some = (await run('events', '--stream', `mailbox-${mailboxId}`, '--until', '2026-03-02')).stdout
  assert.is((JSON.parse(some) as { type: string }).type, 'MailboxCreated')
})

test('a gateway that has gone without a word is not running', async () => {
  announced(token, 'https://127.0.0.1:1/')
  assert.is(
    (await run('mailbox', 'list')).stderr,
    'sealpost: The gateway is not running (no answer at https://127.0.0.1:1). Start it with: npm start\n',
  )
})

test('another token and another certificate are those of another gateway', async () => {
  announced('another')
  assert.match((await run('mailbox', 'list')).stderr, /does not take the token of .*it is another gateway/)
  announced(token)
  const other = await certificate({ keys: memoryKeys().keys, domain: 'archive.example.com', clock, addresses: [] })
  writeFileSync(join(data, 'admin.crt'), other.cert)
  assert.match((await run('mailbox', 'list')).stderr, /is not the gateway of .*its certificate is another one/)
})

test('a gateway that listens on every address is reached at the loopback', async () => {
  announced(token, `https://0.0.0.0:${admin.address?.port ?? 0}/`)
  assert.is((await run('mailbox', 'list')).code, 0)
})

test.run()
