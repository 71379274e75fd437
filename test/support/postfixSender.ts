import { execFile, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { programPath } from './peers.ts'
import { until } from './until.ts'

const run = promisify(execFile)

export type PostfixSenderOptions = {
  /** Where the gateway listens on 127.0.0.1. */
  readonly gateway: number
  /** Where Postfix takes the mail that it is to send. */
  readonly port: number
  /** Its certificate as a client, and its name and token for AUTH. */
  readonly client: { readonly key: string; readonly cert: string }
  readonly name: string
  readonly token: string
}

/** A mail server that sends everything to a gateway: Postfix, with a client certificate, a login and a cache of TLS sessions. */
export type PostfixSender = {
  /** What became of each attempt to send, as it logs it; resolves when there are so many. */
  attempts(count: number): Promise<readonly string[]>
  /** Its log. */
  log(): string
  stop(): Promise<void>
}

export const startPostfixSender = async (options: PostfixSenderOptions): Promise<PostfixSender> => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-postfix-'))
  chmodSync(dir, 0o755)
  for (const name of ['etc', 'spool', 'data']) mkdirSync(join(dir, name))
  writeFileSync(join(dir, 'client.pem'), `${options.client.key}${options.client.cert}`, { mode: 0o600 })
  spawnSync('chown', ['postfix', join(dir, 'data')])
  writeFileSync(join(dir, 'etc/main.cf'), mainConfiguration(dir, options))
  writeFileSync(join(dir, 'etc/master.cf'), masterConfiguration(options))
  for (const [name, original] of [
    ['main.cf', 'main.cf.debian'],
    ['master.cf', 'master.cf.dist'],
  ] as const)
    if (!existsSync(`/etc/postfix/${name}`)) spawnSync('cp', [`/usr/share/postfix/${original}`, `/etc/postfix/${name}`])
  const postfix = programPath('postfix') ?? 'postfix'
  await run(programPath('postconf') ?? 'postconf', ['-e', `alternate_config_directories=${dir}/etc`])
  await run(postfix, ['-c', join(dir, 'etc'), 'start'])
  const log = () => (existsSync(join(dir, 'postfix.log')) ? readFileSync(join(dir, 'postfix.log'), 'utf8') : '')
  const attempts = () => log().split('\n').filter((line) => line.includes(' status=')) // prettier-ignore
  return {
    log,
    attempts: async (count) => {
      await until(() => attempts().length >= count, () => `Postfix sends:\n${log()}`) // prettier-ignore
      return attempts()
    },
    stop: async () => {
      await run(postfix, ['-c', join(dir, 'etc'), 'stop'])
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const mainConfiguration = (dir: string, { gateway, name, token }: PostfixSenderOptions) => `
compatibility_level = 3.6
queue_directory = ${dir}/spool
data_directory = ${dir}/data
mail_owner = postfix
myhostname = sender.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
maillog_file = ${dir}/postfix.log
maillog_file_prefixes = ${dir}
multi_instance_enable = yes
multi_instance_name = postfix-sender
relayhost = [127.0.0.1]:${gateway}
smtp_tls_security_level = encrypt
smtp_tls_loglevel = 2
smtp_tls_chain_files = ${dir}/client.pem
smtp_tls_session_cache_database = btree:${dir}/data/sessions
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = static:${name}:${token}
smtp_sasl_tls_security_options = noanonymous
`

/** No chroot, and a listener on a port of its own. */
const masterConfiguration = ({ port }: PostfixSenderOptions) =>
  readFileSync('/usr/share/postfix/master.cf.dist', 'utf8')
    .replace(/^smtp  *inet.*$/m, `127.0.0.1:${port} inet n - n - - smtpd -o smtpd_relay_restrictions=permit_mynetworks,reject`)
    .replaceAll(/^([a-z]* *[a-z]* *[-ny] *[-ny] *)y /gm, '$1n ') + 'postlog unix-dgram n - n - 1 postlogd\n' // prettier-ignore
