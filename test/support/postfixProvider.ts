import { execFile, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePorts } from '../../ops/scratchGateway.ts'
import { listening } from './dovecot.ts'
import { programPath } from './peers.ts'
import type { TestAuthority } from './testAuthority.ts'

const run = promisify(execFile)

/** A provider: Postfix, which asks Dovecot who may send, and Dovecot's own submission service in front of it. */
export type PostfixProvider = {
  /** Postfix with TLS from the first octet, and with STARTTLS. */
  readonly submissions: number
  readonly submission: number
  /** Dovecot, with TLS from the first octet. */
  readonly dovecot: number
  readonly password: string
  /** The mails that were delivered to `recipient@provider.test`. */
  delivered(): readonly Buffer[]
  stop(): Promise<void>
}

/** What it needs to be installed. */
export const postfixPrograms = ['postfix', 'postconf', 'dovecot', 'doveadm']

const password = 'provider-password'

export const startPostfixProvider = async (authority: TestAuthority): Promise<PostfixProvider> => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-postfix-'))
  chmodSync(dir, 0o755)
  const { smtp, submission, submissions, smtps: dovecot } = await freePorts()
  const { key, cert } = await authority.issue({ names: ['localhost'] })
  for (const name of ['etc', 'spool', 'data', 'mail', 'dovecot']) mkdirSync(join(dir, name))
  writeFileSync(join(dir, 'key.pem'), key, { mode: 0o600 })
  writeFileSync(join(dir, 'cert.pem'), cert)
  spawnSync('chown', ['postfix', join(dir, 'data'), join(dir, 'mail')])
  writeFileSync(join(dir, 'dovecot.conf'), dovecotConfiguration({ dir, dovecot, relay: smtp }))
  writeFileSync(join(dir, 'etc/main.cf'), mainConfiguration(dir))
  writeFileSync(join(dir, 'etc/master.cf'), masterConfiguration({ smtp, submission, submissions }))
  const postfix = await startPostfix(dir)
  const child = spawn(programPath('dovecot') ?? 'dovecot', ['-F', '-c', join(dir, 'dovecot.conf')], { stdio: 'ignore' })
  child.unref()
  for (const port of [submissions, submission, dovecot]) await listening(port, child)
  const box = join(dir, 'mail/box/new')
  return {
    submissions,
    submission,
    dovecot,
    password,
    delivered: () => (existsSync(box) ? readdirSync(box).map((name) => readFileSync(join(box, name))) : []),
    stop: async () => {
      await postfix.stop()
      const exited = new Promise((resolve) => child.once('exit', resolve))
      child.ref()
      child.kill('SIGTERM')
      await exited
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Postfix with the configuration in `etc`, its queue in `spool` and its state in `data` of a directory. */
export const startPostfix = async (dir: string): Promise<{ stop(): Promise<void> }> => {
  if (!existsSync('/etc/postfix/main.cf'))
    spawnSync('cp', ['/usr/share/postfix/main.cf.debian', '/etc/postfix/main.cf'])
  if (!existsSync('/etc/postfix/master.cf'))
    spawnSync('cp', ['/usr/share/postfix/master.cf.dist', '/etc/postfix/master.cf'])
  const postfix = programPath('postfix') ?? 'postfix'
  await run(programPath('postconf') ?? 'postconf', ['-e', `alternate_config_directories=${dir}/etc`])
  await run(postfix, ['-c', join(dir, 'etc'), 'start'])
  const stop = async () => {
    await run(postfix, ['-c', join(dir, 'etc'), 'stop'])
  }
  return { stop }
}

const dovecotConfiguration = ({ dir, dovecot, relay }: { dir: string; dovecot: number; relay: number }) => `
base_dir = ${dir}/dovecot
state_dir = ${dir}/dovecot
log_path = ${dir}/dovecot.log
instance_name = ${dir.split('/').at(-1) ?? ''}
protocols = submission
listen = 127.0.0.1
hostname = provider.test
ssl = yes
ssl_cert = <${dir}/cert.pem
ssl_key = <${dir}/key.pem
auth_mechanisms = plain login
auth_failure_delay = 0
mail_location = maildir:${dir}/mail/%u
first_valid_uid = 1
submission_relay_host = 127.0.0.1
submission_relay_port = ${relay}
passdb {
  driver = static
  args = password=${password}
}
userdb {
  driver = static
  args = uid=postfix gid=postfix home=${dir}/mail/%u
}
service auth {
  unix_listener ${dir}/dovecot/postfix-auth {
    mode = 0666
  }
}
service submission-login {
  inet_listener submission {
    port = 0
  }
  inet_listener submissions {
    port = ${dovecot}
    ssl = yes
  }
}
`

const mainConfiguration = (dir: string) => `
compatibility_level = 3.6
queue_directory = ${dir}/spool
data_directory = ${dir}/data
mail_owner = postfix
myhostname = provider.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = provider.test
virtual_mailbox_base = ${dir}/mail
virtual_mailbox_maps = static:box/
virtual_minimum_uid = 1
virtual_uid_maps = static:${idOf('-u')}
virtual_gid_maps = static:${idOf('-g')}
maillog_file = ${dir}/postfix.log
maillog_file_prefixes = ${dir}
multi_instance_enable = yes
multi_instance_name = postfix-provider
smtpd_tls_cert_file = ${dir}/cert.pem
smtpd_tls_key_file = ${dir}/key.pem
smtpd_sasl_type = dovecot
smtpd_sasl_path = ${dir}/dovecot/postfix-auth
`

const idOf = (what: '-u' | '-g') => spawnSync('id', [what, 'postfix'], { encoding: 'utf8' }).stdout.trim()

const forClients = `
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_auth_only=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject`

/** Postfix's services without chroot, with SMTP on a port of its own. */
export const postfixServices = (smtp: number): string =>
  readFileSync('/usr/share/postfix/master.cf.dist', 'utf8')
    .replace(/^smtp  *inet.*$/m, `127.0.0.1:${smtp} inet n - n - - smtpd -o smtpd_relay_restrictions=permit_mynetworks,reject`)
    .replaceAll(/^([a-z]* *[a-z]* *[-ny] *[-ny] *)y /gm, '$1n ') // prettier-ignore

const masterConfiguration = (ports: { smtp: number; submission: number; submissions: number }) =>
  postfixServices(ports.smtp) +
  `
127.0.0.1:${ports.submission} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt${forClients}
127.0.0.1:${ports.submissions} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes${forClients}
postlog unix-dgram n - n - 1 postlogd
`
