import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { diskAfter } from '../torture/powerLoss.ts'
import { type Operation, operationOf } from '../torture/recording.ts'

const test = suite('power loss')

const root = mkdtempSync(join(tmpdir(), 'sealpost-power-'))
test.after(() => rmSync(root, { recursive: true }))
const before = join(root, 'before')
mkdirSync(before)
writeFileSync(join(before, 'old'), 'as it was')

let cuts = 0
/** The directory `/d` after a cut at the end, by name. */
const afterCut = (operations: readonly Operation[], at = Number.MAX_SAFE_INTEGER) => {
  const into = join(root, `cut-${cuts++}`)
  diskAfter(before, '/d', operations).restore(into, { at, torn: undefined })
  return Object.fromEntries(readdirSync(into).map((name) => [name, readFileSync(join(into, name), 'latin1')]))
}

let clock = 0
const times = () => ({ begun: ++clock, ended: ++clock })
const create = (path: string): Operation => ({
  ...times(),
  is: 'open',
  path,
  create: true,
  truncate: false,
  append: false,
})
const write = (path: string, text: string, offset?: number): Operation => ({
  ...times(),
  is: 'write',
  path,
  bytes: Buffer.from(text),
  offset,
})
const sync = (path: string, failed = false): Operation => ({ ...times(), is: 'sync', path, failed })
const rename = (path: string, to: string): Operation => ({ ...times(), is: 'rename', path, to })

test('only what was flushed is there', () => {
  const operations = [write('/d/old', 'AS', 0), sync('/d/old'), write('/d/old', 'IT', 3)]
  assert.equal(afterCut(operations), { old: 'AS it was' })
})

test('a flush counts only once it is over', () => {
  const flushed = sync('/d/old')
  assert.equal(afterCut([write('/d/old', 'AS', 0), flushed], flushed.ended - 0.5), { old: 'as it was' })
})

test('a file is there only when its name was flushed, too', () => {
  const made = [
    create('/d/new.partial'),
    write('/d/new.partial', 'one'),
    write('/d/new.partial', 'two'),
    sync('/d/new.partial'),
  ]
  const named = [...made, rename('/d/new.partial', '/d/new')]
  assert.equal(afterCut(named), { old: 'as it was' })
  assert.equal(afterCut([...named, sync('/d')]), { old: 'as it was', new: 'onetwo' })
})

test('what a failed flush has dropped is not brought back by the next', () => {
  const operations = [write('/d/old', 'AS', 0), sync('/d/old', true), write('/d/old', 'IT', 3), sync('/d/old')]
  assert.equal(afterCut(operations), { old: 'as IT was' })
})

const hex = (text: string) =>
  [...Buffer.from(text)].map((octet) => `\\x${octet.toString(16).padStart(2, '0')}`).join('')

test("strace's lines are read as what they did, and those that failed as nothing", () => {
  const line = `1795552343.5 pwrite64(22<${hex('/d/é')}>, "${hex('a"b')}", 3, 4120) = 3 <0.25>`
  const write = { is: 'write', path: '/d/é', bytes: Buffer.from('a"b'), offset: 4120 }
  assert.equal(operationOf(line), { begun: 1795552343500, ended: 1795552343750, ...write })
  const failed = `1795552343.5 fsync(22<${hex('/d/é')}>) = -1 EIO (Input/output error) (INJECTED) <0.25>`
  assert.equal(operationOf(failed), {
    begun: 1795552343500,
    ended: 1795552343750,
    is: 'sync',
    path: '/d/é',
    failed: true,
  })
  assert.is(
    operationOf(`1795552343.5 unlink("${hex('/d/é')}") = -1 ENOENT (No such file or directory) <0.25>`),
    undefined,
  )
})

test.run()
