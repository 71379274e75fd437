import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openForWriting } from '../../src/log/sqliteFile.ts'
import { openPack } from '../../src/vault/pack.ts'
import { peerTest } from '../support/peers.ts'

const test = suite('names that could not be flushed')

const moduleOf = (path: string) => JSON.stringify(join(import.meta.dirname, '../../src', path))
const kinds = [
  { name: 'a pack', from: 'vault/pack.ts', opener: 'openPack', open: openPack },
  { name: 'the log', from: 'log/sqliteFile.ts', opener: 'openForWriting', open: openForWriting },
] as const

for (const { name, from, opener, open } of kinds)
  peerTest(
    test,
    ['strace'],
    `${name} is not opened under a name that could not be flushed, and makes it anew`,
    async () => {
      const dir = mkdtempSync(join(tmpdir(), 'sealpost-names-'))
      const file = join(dir, 'one.db')
      /** In a process whose flushes of the directory fail from the `first` on. SQLite does not look whether its own have. */
      const opened = (first: number) => {
        const inject = ['-e', 'trace=fsync', '-e', `inject=fsync:error=EIO:when=${first}+`, '-P', dir]
        const script = `(await import(${moduleOf(from)})).${opener}(${JSON.stringify(file)}); process.exit()`
        const program = [process.execPath, '--input-type=module', '-e', script]
        const running = promisify(execFile)('strace', ['-f', '-qq', '-o', '/dev/null', ...inject, ...program])
        return running.then(
          () => 'opened',
          (error: unknown) => (String(error).includes('EIO') ? 'refused' : String(error)),
        )
      }
      assert.is(await opened(1), 'refused')
      assert.not(existsSync(file))
      assert.is(await opened(2), 'refused')
      assert.ok(statSync(file).size > 0)
      assert.not(existsSync(`${file}-wal`))
      assert.is(await opened(99), 'opened')
      open(file).close()
      rmSync(dir, { recursive: true })
    },
  )

test.run()
