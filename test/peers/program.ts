import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { environment } from '../../ops/scratchGateway.ts'
import { programPath } from '../support/peers.ts'

export type ProgramOptions = {
  readonly input?: Uint8Array | string
  /** Further environment variables. */
  readonly env?: Readonly<Record<string, string>>
}

const patience = 120_000 // milliseconds that a program may take, on a busy machine too

/** Runs a program to its end and gives its stdout; rejects with all that it said when it fails or takes too long. */
export const outputOf = async (
  program: string,
  args: readonly string[],
  { input = '', env = {} }: ProgramOptions = {},
): Promise<Buffer> => {
  const child = spawn(programPath(program) ?? program, args, {
    env: { ...environment(), ...env },
    stdio: 'pipe',
    timeout: patience,
  })
  const ended = new Promise<number | string | null>((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => {
      resolve(code ?? signal)
    })
  })
  child.stdin.on('error', () => {}) // a program may end without reading its input: its exit code tells
  child.stdin.end(input)
  const [stdout, stderr, code] = await Promise.all([buffer(child.stdout), buffer(child.stderr), ended])
  if (code !== 0) throw new Error(`${program} ended with ${code}:\n${stderr.toString()}\n${stdout.toString()}`)
  return stdout
}

/** A directory for programs' configuration files and for what they write. */
export type ScratchFiles = {
  readonly dir: string
  /** Writes a file that only its owner may read, and gives its path. */
  write(name: string, content: Uint8Array | string): string
  /** Makes a directory, and gives its path. */
  makeDir(name: string): string
  /** The content of every file in a directory. */
  contents(name: string): readonly Buffer[]
  remove(): void
}

export const scratchFiles = (): ScratchFiles => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-peers-'))
  return {
    dir,
    write: (name, content) => {
      const path = join(dir, name)
      writeFileSync(path, content, { mode: 0o600 })
      return path
    },
    makeDir: (name) => {
      mkdirSync(join(dir, name), { recursive: true })
      return join(dir, name)
    },
    contents: (name) => readdirSync(join(dir, name)).map((file) => readFileSync(join(dir, name, file))),
    remove: () => rmSync(dir, { recursive: true }),
  }
}
