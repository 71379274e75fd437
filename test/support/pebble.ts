import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { freePorts } from '../../ops/scratchGateway.ts'
import { testAuthority } from './testAuthority.ts'
import { until } from './until.ts'

/** An ACME server that takes every name for 127.0.0.1. */
export type Pebble = {
  readonly directory: string
  /** Certificates (PEM) that vouch for its own server. */
  readonly caFile: string
  /** Where it looks for the answers to its questions. */
  readonly httpPort: number
  start(): Promise<void>
  /** It is away until it is started again; it forgets everything. */
  stop(): Promise<void>
  /** The certificate, PEM, of the authority that signs what it issues. */
  root(): Promise<string>
  remove(): Promise<void>
}

type PebbleOptions = {
  /** Seconds for which its certificates hold. */
  readonly validity?: number
}

export const pebble = async ({ validity = 90 * 86_400 }: PebbleOptions = {}): Promise<Pebble> => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-pebble-'))
  const { smtp: acme, smtps: management, pop3: dns, pop3s: dnsManagement, submission: httpPort } = await freePorts()
  const authority = await testAuthority()
  const { key, cert } = await authority.issue({ names: ['localhost', '127.0.0.1'] })
  const file = (name: string, content: string) => {
    writeFileSync(join(dir, name), content)
    return join(dir, name)
  }
  const caFile = file('ca.pem', authority.cert)
  const config = file(
    'pebble.json',
    JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${acme}`,
        managementListenAddress: `127.0.0.1:${management}`,
        certificate: file('cert.pem', cert),
        privateKey: file('key.pem', key),
        httpPort,
        tlsPort: 1,
        certificateValidityPeriod: validity,
      },
    }),
  )
  const env = { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '20', PEBBLE_AUTHZREUSE: '0' }
  const children: ChildProcess[] = []
  const run = (program: string, ...args: readonly string[]) => {
    const child = spawn(program, args, { cwd: dir, env, stdio: 'ignore' })
    child.unref()
    process.once('exit', () => child.kill('SIGKILL'))
    children.push(child)
  }
  const ask = async (port: number, path: string) => {
    const asked = request({ host: '127.0.0.1', port, path, ca: authority.cert, agent: false }).end()
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    asked.on('response', (response) => void text(response).then(resolve, reject)).on('error', reject)
    return promise
  }
  const stop = async () => {
    for (const child of children.splice(0)) {
      child.ref()
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await gone
    }
  }
  return {
    directory: `https://127.0.0.1:${acme}/dir`,
    caFile,
    httpPort,
    start: async () => {
      run('pebble-challtestsrv', '-defaultIPv6', '', '-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${dnsManagement}`, '-http01', '', '-https01', '', '-tlsalpn01', '') // prettier-ignore
      run('pebble', '-config', config, '-dnsserver', `127.0.0.1:${dns}`)
      await until(() => ask(acme, '/dir').catch(() => undefined), 'pebble answers') // prettier-ignore
    },
    stop,
    root: () => ask(management, '/roots/0'),
    remove: async () => {
      await stop()
      rmSync(dir, { recursive: true })
    },
  }
}
