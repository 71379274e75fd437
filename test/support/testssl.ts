import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { environment } from '../../ops/scratchGateway.ts'
import type { TlsPort } from './beforeTls.ts'
import { serverName, type TlsGateway } from './tlsGateway.ts'

export type Finding = { readonly id: string; readonly severity: string; readonly finding: string }

export type Tests = {
  /** Options that name its tests; without any it makes all that it makes by itself. */
  readonly options?: readonly string[]
  /** Milliseconds that it may take. */
  readonly within: number
}

/** All that testssl.sh finds at a listener. Rejects when it has not come to its end. */
export const testssl = async (
  { authority, dir }: Pick<TlsGateway, 'authority' | 'dir'>,
  { port, starttls }: TlsPort,
  { options = [], within }: Tests,
): Promise<readonly Finding[]> => {
  const file = join(dir, `testssl-${port}.json`)
  const says = ['--quiet', '--color', '0', '--warnings', 'off', '--nodns', 'none', '--jsonfile', file]
  const way = starttls ? ['--starttls', starttls] : []
  const args = [...says, '--add-ca', authority.file, ...way, ...options, `${serverName}:${port}`]
  // Its helpers too are ended when it takes too long.
  const child = spawn('testssl', args, {
    cwd: dir,
    env: environment(),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const late = setTimeout(() => child.pid && process.kill(-child.pid, 'SIGKILL'), within)
  const ended = new Promise((resolve) => child.once('close', resolve))
  const [said, complaints] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  clearTimeout(late)
  const found = findingsIn(file)
  rmSync(file, { force: true })
  if (!found?.some(({ id }) => id === 'scanTime')) throw new Error(`testssl did not end:\n${said}\n${complaints}`)
  return found
}

/** Undefined where it was not written to its end. */
const findingsIn = (file: string): readonly Finding[] | undefined => {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as readonly Finding[]
  } catch {
    return undefined
  }
}

/** What is said of the scanner or of the test's authority, and of no listener. */
const notOurs: Readonly<Record<string, string>> = {
  engine_problem: 'its own OpenSSL has no GOST',
  cert_revocation: 'the test authority revokes nothing',
  // `gateway/handshakes` asks itself.
  sessionresumption_ticket: 'now and then its client leaves before it has a session to come again with',
}

const good: ReadonlySet<string> = new Set(['OK', 'INFO', 'DEBUG'])

/** What is below "good" among findings, warnings that something could not be tested included. */
export const belowGood = (findings: readonly Finding[]): readonly string[] =>
  findings
    .filter(({ id, severity }) => !good.has(severity) && !(id in notOurs))
    .map(({ id, severity, finding }) => `${severity} ${id}: ${finding}`)
