import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Secret } from '../../src/core/secret.ts'
import { environment } from '../../ops/scratchGateway.ts'
import { commands } from '../../src/commands/all.ts'
import { banner } from '../../src/commands/banner.ts'
import { table } from '../../src/commands/output.ts'
import { loadConfig } from '../../src/config.ts'
import { newMessageId } from '../../src/core/ids.ts'
import { commandHere } from '../support/commandHere.ts'

const test = suite('commandLine')
const directory = mkdtempSync(join(tmpdir(), 'sealpost-'))
test.after(() => rmSync(directory, { recursive: true }))

const run = (words: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  commandHere(words, { cwd: directory, env })

const main = join(import.meta.dirname, '../../src/start.mjs')
const spawned = async (...words: readonly string[]) => {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [main, ...words], {
      cwd: directory,
      env: environment(),
    })
    return { code: 0, stdout, stderr }
  } catch (error) {
    // What `execFile` rejects with when the program fails.
    return error as { readonly code: number; readonly stdout: string; readonly stderr: string }
  }
}

const id = newMessageId()
/** Command lines that cannot be meant, and what is said of each. */
const misuses: readonly (readonly [string, RegExp])[] = [
  ['', /Which command\?/],
  ['frobnicate', /There is no command "frobnicate"/],
  ['help frobnicate', /There is no command "frobnicate"/],
  [
    'mailbox',
    /After "mailbox" comes one of: create, list, show, rename, alias, suspend, resume, hold, release, retention, delete, proxy, sender-policy, client-setup, password, rotate-key, reset-password, recovery, recover, identity/,
  ],
  ['mailbox frobnicate', /After "mailbox" comes one of/],
  ['message', /After "message" comes one of: list, show, restore/],
  ['mailbox create', /--name is missing/],
  ['mailbox create --name', /'--name <value>' argument missing/],
  ['mailbox create --name a --name b', /--name is given more than once/],
  ['mailbox create --name a b', /There is no place for "b"/],
  ['mailbox create --name a --colour red', /Unknown option '--colour'/],
  ['mailbox list --json=yes', /'--json' does not take an argument/],
  ['mailbox show', /ID is missing/],
  ['mailbox suspend mbx', /--reason is missing/],
  ['message list', /--mailbox is missing/],
  ['message list --mailbox m --limit 0', /--limit must be a number from 1 to 50\b/],
  ['message list --mailbox m --limit many', /--limit must be a number from 1 to 50\b/],
  ['message show', /MESSAGE_ID is missing/],
  [`open ${id}`, /--password-file is missing/],
  ['open nonsense --password-file f', /"nonsense" is not a message id/],
  ['sealed ../../etc/passwd', /is not a message id/],
  ['events --type Nothing', /--type cannot be "Nothing"/],
  ['events --stream nothing', /--stream cannot be "nothing"/],
  ['events --since yesterday', /--since cannot be "yesterday"/],
  ['events --until 2026-02-30', /--until cannot be "2026-02-30"/],
  ['fsck everything', /There is no place for "everything"/],
  ['serve --port 25', /Unknown option '--port'/],
]
for (const [words, said] of misuses)
  test(`"${words}" is told why it cannot be meant, with exit code 2 and nothing on standard output`, async () => {
    const { code, stdout, stderr } = await run(words.split(' ').filter(Boolean))
    assert.is(code, 2)
    assert.is(stdout, '')
    assert.match(stderr, said)
    assert.match(stderr, /^sealpost: .*\n(Usage|See): npm run -s sealpost -- /)
  })

for (const command of commands)
  test(`"${command.name} --help" explains every option, also without what is required`, async () => {
    const { code, stdout } = await run([...command.name.split(' '), '--help'])
    assert.is(code, 0)
    for (const option of [...Object.keys(command.options), 'json', 'config', 'help'])
      assert.match(stdout, new RegExp(`^ {2}--${option} `, 'm'))
    assert.is((await run(['help', ...command.name.split(' ')])).stdout, stdout)
    assert.is((await run([...command.name.split(' '), '-h'])).stdout, stdout)
  })

test('help lists every command', async () => {
  const { code, stdout } = await run(['help'])
  assert.is(code, 0)
  for (const { name, summary } of commands) assert.ok(stdout.includes(`  ${name.padEnd(18)} ${summary}\n`))
  assert.is((await run(['--help'])).stdout, stdout)
})

test('the help of config names every key with its variable', async () => {
  const { stdout } = await run(['config', '--help'])
  assert.match(stdout, /limits\.messageSize {2}\(SEALPOST_LIMITS_MESSAGE_SIZE, default 200MiB\)/)
})

test('config prints the effective configuration, as TOML or JSON', async () => {
  const env = { SEALPOST_SMTP_PORT: '26' }
  assert.match((await run(['config'], env)).stdout, /^\[smtp\]\n(.*\n)*?port = 26\n/m)
  const { gateway, smtp } = JSON.parse((await run(['config', '--json'], env)).stdout) as ReturnType<typeof loadConfig>
  assert.equal([gateway.data, smtp.port], [join(directory, 'data'), 26])
})

test('--config names the file, and a broken one stops every command that reads it', async () => {
  writeFileSync(join(directory, 'other.toml'), '[smtp]\nport = 27\n')
  assert.match((await run(['config', '--config', 'other.toml'])).stdout, /^port = 27$/m)
  writeFileSync(join(directory, 'broken.toml'), '[smtp]\nport = 27\nport\n')
  for (const words of [['config'], ['mailbox', 'list'], ['serve'], ['fsck'], ['events']]) {
    const { code, stdout, stderr } = await run([...words, '--config', 'broken.toml'])
    assert.equal([code, stdout], [1, ''])
    assert.match(stderr, /^sealpost: .*broken\.toml, line 3/)
  }
})

test('without a running gateway a command says how to start it', async () => {
  for (const words of [['mailbox', 'list'], ['sealed', id], ['events'], ['mailbox', 'create', '--name', 'n']]) {
    const { code, stdout, stderr } = await run(words)
    assert.equal([code, stdout], [1, ''])
    assert.match(
      stderr,
      /^sealpost: The gateway is not running \(there is no .*admin\.token\)\. Start it with: npm start\n$/,
    )
  }
})

test('a turned off admin API is said to be what is missing', async () => {
  assert.match((await run(['mailbox', 'list'], { SEALPOST_ADMIN_PORT: 'off' })).stderr, /admin\.port is "off"/)
})

test('a password file that is missing, empty or of several lines is refused before anything is asked', async () => {
  writeFileSync(join(directory, 'empty'), '\n')
  writeFileSync(join(directory, 'two'), 'one\ntwo\n')
  const open = async (file: string) => (await run(['open', id, '--password-file', file])).stderr
  assert.match(await open('missing'), /The password cannot be read: ENOENT/)
  assert.match(await open('empty'), /There is no password in empty/)
  assert.match(await open('two'), /There is more than one line in two/)
})

test('a data directory that is not there is refused by the commands that read it themselves', async () => {
  for (const words of [['events'], ['sealed', id], ['fsck']]) {
    const { code, stdout, stderr } = await run([...words, '--data', 'missing'])
    assert.equal([code, stdout], [1, ''])
    assert.match(stderr, /^sealpost: .*missing/)
  }
})

test('a table has its columns under their headings, and no space at the ends of its lines', () => {
  // prettier-ignore
  assert.is(table(['A', 'LONG'], [['aaa', 'b'], ['c', '']]), 'A    LONG\naaa  b\nc\n')
})

const config = loadConfig({ cwd: '/srv', env: { SEALPOST_GATEWAY_DOMAIN: 'archive.example.com' } })
const gateway = {
  addresses: [
    { protocol: 'smtp', host: '::', port: 2525 },
    { protocol: 'pop3s', host: '192.0.2.1', port: 2995 },
    { protocol: 'https', host: '::1', port: 8450 },
  ],
  fingerprint: 'AB:CD',
  certificateCreated: true,
  firstPassword: undefined,
  hasMailboxes: false,
} as const

test('a first start says where everything listens and the three things to do next', () => {
  const text = banner(gateway, config)
  assert.match(text, /SMTP \(STARTTLS\) +port 2525, on every address of this machine/)
  assert.match(text, /POP3 \(TLS\) +192\.0\.2\.1:2995/)
  assert.match(text, /Admin API +https:\/\/\[::1\]:8450\/v1/)
  assert.match(text, /New certificate +SHA-256 AB:CD/)
  assert.match(text, /1\. .*\n +npm run -s sealpost -- mailbox create --name/)
  assert.match(text, /2\. .*port 2525/)
  assert.match(text, /3\. .*port 2995/)
  assert.not.match(text, /trial/)
})

test('the first password is shown on a terminal; otherwise only where it lies', () => {
  const firstPassword = { file: '/srv/data/admin.password', name: 'admin', password: new Secret('abcd-efgh') }
  const shown = (onTerminal: boolean) => banner({ ...gateway, firstPassword }, config, onTerminal)
  assert.match(shown(true), /"admin".*abcd-efgh.*\/srv\/data\/admin\.password/)
  assert.match(shown(false), /"admin".*\/srv\/data\/admin\.password/)
  assert.not.match(shown(false), /abcd/)
})

test('a later start is shorter, and a gateway of localhost is told that it is for a trial', () => {
  assert.not.match(banner({ ...gateway, hasMailboxes: true }, config), /mailbox create/)
  assert.match(banner(gateway, loadConfig({ cwd: '/srv', env: {} })), /@localhost.*trial/)
})

test('the program itself exits with 2 for bad usage, 1 for a failure, 0 for success', async () => {
  const [usage, failure, success] = await Promise.all([
    spawned('mailbox'),
    spawned('mailbox', 'list'),
    spawned('--version'),
  ])
  assert.equal([usage.code, failure.code, success.code], [2, 1, 0])
  assert.match(usage.stderr, /^sealpost: After "mailbox"/)
  assert.match(failure.stderr, /^sealpost: The gateway is not running/)
  assert.match(success.stdout, /^\d+\.\d+\.\d+\n$/)
})

test('a reader that stops early, as head does, is no failure', async () => {
  const child = spawn(process.execPath, [main, 'config', '--help'], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.destroy()
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  assert.is(code, 0)
  assert.not.match(stderr, /EPIPE/)
})

test.run()
