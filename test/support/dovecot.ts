import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../../ops/scratchGateway.ts'
import { programPath } from './peers.ts'
import type { TestAuthority } from './testAuthority.ts'
import { until } from './until.ts'

/** A provider's POP3 server, with a certificate for `localhost`. Every user has the same password. */
export type MailProvider = {
  readonly pop3s: number
  readonly password: string
  /** Puts mails into a user's maildrop, in order. */
  fill(user: string, mails: readonly Uint8Array[]): void
  /** Messages that are left of it. */
  left(user: string): number
  stop(): Promise<void>
}

export type Dovecot = MailProvider & {
  /** With STLS. */
  readonly pop3: number
}

/** Whether this user may run it. */
export const isRoot = userInfo().uid === 0

const password = 'provider-password'
let delivered = 0

export const startDovecot = async (authority: TestAuthority): Promise<Dovecot> => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-dovecot-'))
  const { pop3, pop3s } = await freePorts()
  const { key, cert } = await authority.issue({ names: ['localhost', '127.0.0.1'] })
  for (const name of ['run', 'mail']) mkdirSync(join(dir, name))
  writeFileSync(join(dir, 'key.pem'), key, { mode: 0o600 })
  writeFileSync(join(dir, 'cert.pem'), cert)
  const owner = mailOwner()
  spawnSync('chmod', ['755', dir])
  chownSync(join(dir, 'mail'), owner.uid, owner.gid)
  const file = join(dir, 'dovecot.conf')
  writeFileSync(file, configuration({ dir, pop3, pop3s, owner }))
  const child = spawn(programPath('dovecot') ?? 'dovecot', ['-F', '-c', file], { stdio: 'ignore' })
  child.unref()
  const end = () => child.kill('SIGTERM')
  process.once('exit', end)
  await listening(pop3s, child)
  const folder = (user: string) => join(dir, 'mail', user, 'new')
  return {
    pop3,
    pop3s,
    password,
    fill: (user, mails) => {
      const parts = ['', 'new', 'cur', 'tmp'].map((name) => join(dir, 'mail', user, name))
      for (const part of parts) mkdirSync(part, { recursive: true })
      for (const mail of mails) {
        // POP3 shows them in the order of their names.
        const name = `${1_700_000_000 + delivered}.M${String(delivered++).padStart(6, '0')}.provider`
        writeFileSync(join(folder(user), name), mail)
      }
      spawnSync('chown', ['-R', `${owner.uid}:${owner.gid}`, join(dir, 'mail')])
    },
    left: (user) => ['new', 'cur'].flatMap((name) => readdirSync(join(dir, 'mail', user, name))).length,
    stop: async () => {
      process.off('exit', end)
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.ref()
      child.kill('SIGTERM')
      await exited
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Dovecot reads mail as nobody's but an ordinary user. */
export const mailOwner = () => {
  const id = (what: string) => Number(spawnSync('id', [what, 'vmail'], { encoding: 'utf8' }).stdout)
  if (id('-u') === 0) spawnSync('useradd', ['-r', '-M', '-d', '/nonexistent', '-s', '/usr/sbin/nologin', 'vmail'])
  return { uid: id('-u'), gid: id('-g') }
}

type Place = {
  readonly dir: string
  readonly pop3: number
  readonly pop3s: number
  readonly owner: { readonly uid: number; readonly gid: number }
}

const configuration = ({ dir, pop3, pop3s, owner }: Place) => `
base_dir = ${dir}/run
state_dir = ${dir}/run
log_path = ${dir}/dovecot.log
instance_name = ${dir.split('/').at(-1) ?? ''}
protocols = pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <${dir}/cert.pem
ssl_key = <${dir}/key.pem
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = yes
auth_mechanisms = plain login
auth_failure_delay = 0
mail_location = maildir:${dir}/mail/%u
first_valid_uid = 1
mail_max_userip_connections = 2000
passdb {
  driver = static
  args = password=${password}
}
userdb {
  driver = static
  args = uid=${owner.uid} gid=${owner.gid} home=${dir}/mail/%u
}
service pop3-login {
  service_count = 0
  client_limit = 2000
  inet_listener pop3 {
    port = ${pop3}
  }
  inet_listener pop3s {
    port = ${pop3s}
    ssl = yes
  }
}
service pop3 {
  process_limit = 1000
}
service anvil {
  client_limit = 4000
}
`

/** Resolves when somebody listens; rejects when the program has ended before. */
export const listening = async (port: number, child: ChildProcess) => {
  const reached = () =>
    new Promise<boolean>((resolve) => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
      const socket = connect({ port, host: '127.0.0.1' })
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
  await until(reached, 'it listens')
}
