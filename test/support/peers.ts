import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'uvu'

const required = process.env.SEALPOST_REQUIRE_PEERS === '1'

/** Whether a program is on the PATH (or in sbin, where Debian keeps servers). */
export const programPath = (program: string): string | undefined => {
  const { stdout } = spawnSync('sh', ['-c', `PATH="$PATH:/usr/sbin:/sbin" command -v "${program}"`], {
    encoding: 'utf8',
  })
  return stdout.trim() || undefined
}

/** Whether a program, or a module of Perl's (`Name::Of::It`), is there. */
const isThere = (name: string) =>
  name.includes('::') ? spawnSync('perl', [`-M${name}`, '-e', '1']).status === 0 : programPath(name) !== undefined

/** A test that needs real programs: skipped with a printed reason where they are missing, or failed where they must be there. */
export const peerTest = (suite: Test, programs: readonly string[], title: string, run: () => Promise<void>): void => {
  const missing = programs.filter((program) => !isThere(program))
  if (missing.length === 0) {
    suite(title, run)
    return
  }
  const reason = `not installed: ${missing.join(', ')}`
  if (required) {
    suite(title, () => Promise.reject(new Error(reason)))
    return
  }
  console.log(`  skipped: ${title} (${reason})`)
  suite.skip(title, run)
}

const mount = (mebibytes: number): string | undefined => {
  const dir = mkdtempSync(join(tmpdir(), 'sealpost-small-disk-'))
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', dir]).status === 0) return dir
  rmSync(dir, { recursive: true })
  return undefined
}

/** Lazily, because the file system may still be in use by what the test started. */
const unmount = (dir: string) => {
  spawnSync('umount', ['-l', dir])
  rmSync(dir, { recursive: true })
}

const trial = mount(1)
if (trial !== undefined) unmount(trial)

/** A test on a file system of so many MiB: skipped with a printed reason where this user may not mount one. */
export const smallDiskTest = (
  suite: Test,
  mebibytes: number,
  title: string,
  run: (dir: string) => Promise<void>,
): void => {
  if (trial === undefined && !required) {
    console.log(`  skipped: ${title} (this user may not mount a small file system)`)
    suite.skip(title)
    return
  }
  suite(title, async () => {
    const dir = mount(mebibytes)
    if (dir === undefined) throw new Error('a small file system could not be mounted')
    try {
      await run(dir)
    } finally {
      unmount(dir)
    }
  })
}

export type Mail = { readonly name: string; readonly bytes: Buffer }

/** Real mails kept outside the repository, in the folder that SEALPOST_CORPUS names or in `../shared/corpus`. */
export const corpusDir = process.env.SEALPOST_CORPUS ?? join(import.meta.dirname, '../../../shared/corpus')

/** Every mail of the corpus; empty where there is none. */
export const corpusMails = (): readonly Mail[] => {
  if (!existsSync(corpusDir)) return []
  return readdirSync(corpusDir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.eml'))
    .sort()
    .map((name) => ({ name, bytes: readFileSync(join(corpusDir, name)) }))
}

export const corpusTest = (suite: Test, title: string, run: (mails: readonly Mail[]) => Promise<void>): void => {
  const mails = corpusMails()
  if (mails.length > 0) {
    suite(title, () => run(mails))
    return
  }
  console.log(`  skipped: ${title} (no corpus of real mails at ${corpusDir})`)
  suite.skip(title)
}
