import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { announce, announceCertificate, withdraw } from '../../src/announcement.ts'
import { Secret } from '../../src/core/secret.ts'
import { pathsIn, prepareDataDirectory } from '../../src/dataDirectory.ts'

const test = suite('local files')
const scratch = mkdtempSync(join(tmpdir(), 'sealpost-local-'))
test.after(() => rmSync(scratch, { recursive: true }))

const modeOf = (path: string) => statSync(path).mode & 0o777
const address = { protocol: 'https', host: '127.0.0.1', port: 8450 } as const

test('a data directory that is made is for its owner alone', () => {
  const data = join(scratch, 'new', 'data')
  prepareDataDirectory(data)
  assert.is(modeOf(data), 0o700)
})

test('what the local command line finds its way in by is for its owner alone, also where a file of all lay before', () => {
  const data = mkdtempSync(join(scratch, 'data-'))
  const paths = pathsIn(data)
  writeFileSync(paths.token, 'left behind')
  chmodSync(paths.token, 0o666)
  announce(paths, { token: new Secret('kept-to-the-owner'), certificate: 'one', address })
  announceCertificate(paths, 'two')
  assert.equal(
    [paths.token, paths.url, paths.certificate].map((path) => modeOf(path)),
    [0o600, 0o600, 0o600],
  )
  withdraw(paths)
  assert.equal(readdirSync(data), [])
})

test.run()
