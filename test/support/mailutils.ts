import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../../ops/scratchGateway.ts'
import { type MailProvider, listening, mailOwner } from './dovecot.ts'
import { programPath } from './peers.ts'
import type { TestAuthority } from './testAuthority.ts'

const password = 'provider-password'

/** A provider of another making: GNU Mailutils' POP3 server, TLS from the first octet, users of `example.com`, mbox files. */
export const startMailutils = async (authority: TestAuthority): Promise<MailProvider> => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-mailutils-'))
  chmodSync(dir, 0o755)
  const { pop3s } = await freePorts()
  const { key, cert } = await authority.issue({ names: ['localhost', '127.0.0.1'] })
  writeFileSync(join(dir, 'key.pem'), key, { mode: 0o600 })
  writeFileSync(join(dir, 'cert.pem'), cert)
  mkdirSync(join(dir, 'domains'))
  const owner = mailOwner()
  const file = join(dir, 'pop3d.conf')
  writeFileSync(file, configuration(dir, pop3s))
  const args = ['--no-config', `--config-file=${file}`, '--foreground', '--daemon']
  const child = spawn(programPath('pop3d') ?? 'pop3d', args, { stdio: 'ignore' })
  child.unref()
  const end = () => child.kill('SIGTERM')
  process.once('exit', end)
  await listening(pop3s, child)
  const hash = spawnSync('openssl', ['passwd', '-6', password], { encoding: 'utf8' }).stdout.trim()
  const users: string[] = []
  const inbox = (user: string) => join(dir, user, 'INBOX')
  return {
    pop3s,
    password,
    fill: (user, mails) => {
      mkdirSync(join(dir, user), { recursive: true })
      users.push(`${user.split('@')[0] ?? ''}:${hash}:${owner.uid}:${owner.gid}::${join(dir, user)}:/bin/sh\n`)
      writeFileSync(join(dir, 'domains', 'example.com'), users.join(''))
      // https://datatracker.ietf.org/doc/html/rfc4155
      const entry = (mail: Uint8Array) =>
        `From someone@example.net Tue Jun  3 10:00:00 2025\n${Buffer.from(mail).toString('latin1').replaceAll('\r\n', '\n')}\n`
      writeFileSync(inbox(user), mails.map(entry).join(''), 'latin1')
      spawnSync('chown', ['-R', `${owner.uid}:${owner.gid}`, join(dir, user)])
    },
    left: (user) => readFileSync(inbox(user), 'latin1').match(/^From someone@/gm)?.length ?? 0,
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

const configuration = (dir: string, port: number) => `
pidfile "${dir}/pop3d.pid";
auth {
  authentication "generic";
  authorization "virtdomain";
};
virtdomain { passwd-dir "${dir}/domains"; };
tls {
  ssl-certificate-file "${dir}/cert.pem";
  ssl-key-file "${dir}/key.pem";
};
tls-mode connection;
mode daemon;
max-children 20;
server 127.0.0.1:${port} { };
`
