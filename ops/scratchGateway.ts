import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '..')
const main = join(root, 'src/start.mjs')

export type Ports = {
  readonly smtp: number
  readonly smtps: number
  readonly submission: number
  readonly submissions: number
  readonly pop3: number
  readonly pop3s: number
  readonly admin: number
}

/** A gateway of its own process, data directory and ports, for demonstrations, benchmarks and tests. */
export type ScratchGateway = {
  readonly data: string
  readonly ports: Ports
  readonly process: ChildProcess
  /** Everything that the gateway wrote to stdout and stderr so far. */
  output(): string
  /** Runs a command of the command line against it; gives its stdout, rejects with its stderr. */
  command(...args: readonly string[]): Promise<string>
  commandBytes(...args: readonly string[]): Promise<Buffer>
  createMailbox(...args: readonly string[]): Promise<CreatedMailbox>
  /** SIGTERM, and the exit code; null when it has not ended in two minutes and is killed. */
  stop(): Promise<number | null>
  kill(): Promise<void>
  /** Removes the data directory. */
  remove(): void
}

export type CreatedMailbox = { readonly mailboxId: string; readonly address: string; readonly password: string }

/**
 * Ports that the system gives to nobody by itself: none is taken between being found free and being listened on. Each
 * process goes its own way through them and comes to none twice.
 */
const [lowest, count] = [10_000, 20_000]
let next = randomInt(count)

const isFree = (port: number) =>
  new Promise<boolean>((resolve) => {
    const server = createServer().once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })

const freePort = async (): Promise<number> => {
  const port = lowest + (next++ % count)
  return (await isFree(port)) ? port : freePort()
}

export const freePorts = async (): Promise<Ports> => ({
  smtp: await freePort(),
  smtps: await freePort(),
  submission: await freePort(),
  submissions: await freePort(),
  pop3: await freePort(),
  pop3s: await freePort(),
  admin: await freePort(),
})

export type ScratchOptions = {
  /** An existing data directory; a new one otherwise. */
  readonly data?: string
  readonly ports?: Ports
  /** Further configuration, as SEALPOST_… variables. */
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds to wait until it serves. */
  readonly within?: number
  /** Words of a command that runs the program whose words follow them in its own place, as `strace -D` does. */
  readonly under?: readonly string[]
  /** How its commands are run, each in a process of its own unless told otherwise. */
  readonly runCommand?: RunCommand
}

/** Resolves with what a command printed; rejects with a `CommandFailure`. */
export type RunCommand = (
  words: readonly string[],
  where: { readonly cwd: string; readonly env: Readonly<Record<string, string | undefined>> },
) => Promise<Buffer>

/** What `execFile` rejects with when the program has run. */
export type CommandFailure = Error & { readonly code: number; readonly stdout: Buffer; readonly stderr: Buffer }

/** As `npm run sealpost` runs them. */
export const inProcessOfItsOwn: RunCommand = async (words, where) => {
  const options = { ...where, encoding: 'buffer', maxBuffer: 1 << 30 } as const
  return (await promisify(execFile)(process.execPath, [main, ...words], options)).stdout
}

export const scratchEnv = (data: string, ports: Ports): Record<string, string> => ({
  SEALPOST_GATEWAY_DATA: data,
  SEALPOST_GATEWAY_DOMAIN: 'gateway.test',
  SEALPOST_GATEWAY_NODE: 'scratch',
  SEALPOST_SMTP_HOST: '127.0.0.1',
  SEALPOST_SMTP_PORT: String(ports.smtp),
  SEALPOST_SMTP_TLS_PORT: String(ports.smtps),
  SEALPOST_SUBMISSION_HOST: '127.0.0.1',
  SEALPOST_SUBMISSION_PORT: String(ports.submission),
  SEALPOST_SMTPS_PORT: String(ports.submissions),
  SEALPOST_POP3_HOST: '127.0.0.1',
  SEALPOST_POP3_PORT: String(ports.pop3),
  SEALPOST_POP3S_PORT: String(ports.pop3s),
  SEALPOST_ADMIN_PORT: String(ports.admin),
})

/** Milliseconds. */
const longestStop = 120_000

/** As `npm start` runs it. */
const nodeArgs = ['--max-semi-space-size=2']

/** This process's, without settings that are meant for another gateway or for the tests. */
export const environment = () =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SEALPOST_')))

/** Starts it and resolves once it serves; rejects with its output if it does not. */
export const startScratchGateway = async (options: ScratchOptions = {}): Promise<ScratchGateway> => {
  const data = options.data ?? mkdtempSync(join(tmpdir(), 'sealpost-'))
  const ports = options.ports ?? (await freePorts())
  const env = { ...environment(), ...scratchEnv(data, ports), ...options.env }
  const cwd = data
  const [program, ...args] = [...(options.under ?? []), process.execPath, ...nodeArgs, main, 'serve']
  const child = spawn(program, args, { cwd, env, stdio: 'pipe' })
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.on('data', (text: Buffer) => (output += text.toString()))
  // A test or benchmark that fails must not be held up by its gateway, nor leave it behind.
  child.unref()
  // A child's pipes are sockets, whatever their type says.
  for (const pipe of [child.stdout, child.stderr] as unknown as readonly Socket[]) pipe.unref()
  const end = () => child.kill('SIGKILL')
  process.once('exit', end)
  child.once('exit', () => process.off('exit', end))
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  await serving(child, join(data, 'admin.url'), options.within ?? 90_000, () => output).catch((error: unknown) => {
    end()
    throw error
  })

  const runCommand = options.runCommand ?? inProcessOfItsOwn
  const commandBytes = (...words: readonly string[]) => runCommand(words, { cwd, env })
  const command = async (...words: readonly string[]) => (await commandBytes(...words)).toString()
  return {
    data,
    ports,
    process: child,
    output: () => output,
    command,
    commandBytes,
    createMailbox: async (...args) =>
      JSON.parse(await command('mailbox', 'create', '--json', ...args)) as CreatedMailbox,
    stop: async () => {
      child.ref()
      child.kill('SIGTERM')
      const hangs = setTimeout(() => child.kill('SIGKILL'), longestStop)
      const code = await exited
      clearTimeout(hangs)
      return code
    },
    kill: async () => {
      child.ref()
      child.kill('SIGKILL')
      await exited
    },
    remove: () => rmSync(data, { recursive: true, force: true }),
  }
}

/** Nothing where there is no such file: a gateway that starts takes an older one's away before it writes its own. */
const contentOf = (file: string) => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

const serving = async (child: ChildProcess, urlFile: string, within: number, output: () => string) => {
  const until = Date.now() + within
  const isOurs = () => contentOf(urlFile).includes(`#${child.pid}\n`)
  while (!isOurs()) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the gateway ended (${child.exitCode}):\n${output()}`)
    if (Date.now() > until) throw new Error(`the gateway did not serve within ${within} ms:\n${output()}`)
    await delay(10)
  }
}
