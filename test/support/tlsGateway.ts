import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../../ops/scratchGateway.ts'
import type { TlsPort } from './beforeTls.ts'
import { testAuthority } from './testAuthority.ts'
import { startTestGateway } from './testGateway.ts'

export const keyKinds = ['ECDSA', 'RSA'] as const
export type KeyKind = (typeof keyKinds)[number]

/** The name that peers use; the certificate is for it. */
export const serverName = 'localhost'

export const listenerNames = [
  'smtp, STARTTLS',
  'smtps',
  'submission, STARTTLS',
  'submissions',
  'pop3, STLS',
  'pop3s',
  'admin',
  'MTA-STS',
] as const
export type ListenerName = (typeof listenerNames)[number]

export type TlsGateway = {
  /** Each listener that speaks TLS. */
  readonly listeners: Readonly<Record<ListenerName, TlsPort>>
  /** The certificate of the authority that vouches for it, PEM, and a file with it. */
  readonly authority: { readonly cert: string; readonly file: string }
  /** A directory of the test's own. */
  readonly dir: string
  /** Stops it, and gives its exit code. */
  end(): Promise<number | null>
}

/** Far enough away that no scanner calls it near, in milliseconds. */
const lifetime = 80 * 86_400_000

/** A gateway with every listener that there is, whose certificate has a key of that kind. */
export const startTlsGateway = async (kind: KeyKind): Promise<TlsGateway> => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-tls-'))
  const write = (name: string, content: string) => {
    writeFileSync(join(dir, name), content, { mode: 0o600 })
    return join(dir, name)
  }
  const authority = await testAuthority()
  const names = [serverName, 'gateway.test', 'mta-sts.gateway.test', '127.0.0.1']
  const { key, cert } = await authority.issue({ names, key: kind, notAfter: new Date(Date.now() + lifetime) })
  const { admin: policy } = await freePorts()
  const gateway = await startTestGateway({
    env: {
      SEALPOST_TLS_MODE: 'files',
      SEALPOST_TLS_CERT_FILE: write('cert.pem', cert),
      SEALPOST_TLS_KEY_FILE: write('key.pem', key),
      SEALPOST_PROXY_TARGETS: 'pop.example.net',
      SEALPOST_MTA_STS_HOST: '127.0.0.1',
      SEALPOST_MTA_STS_PORT: String(policy),
      SEALPOST_MTA_STS_MX: 'gateway.test',
    },
  })
  const { ports } = gateway
  return {
    listeners: {
      'smtp, STARTTLS': { port: ports.smtp, starttls: 'smtp' },
      smtps: { port: ports.smtps },
      'submission, STARTTLS': { port: ports.submission, starttls: 'smtp' },
      submissions: { port: ports.submissions },
      'pop3, STLS': { port: ports.pop3, starttls: 'pop3' },
      pop3s: { port: ports.pop3s },
      admin: { port: ports.admin },
      'MTA-STS': { port: policy },
    },
    authority: { cert: authority.cert, file: write('ca.pem', authority.cert) },
    dir,
    end: async () => {
      const code = await gateway.stop()
      gateway.remove()
      rmSync(dir, { recursive: true })
      return code
    },
  }
}
