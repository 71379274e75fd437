import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { asReadError, asStorageError, isFailedSync } from '../../src/vault/storageError.ts'

// What SQLite (sqlite3.h, extended result codes) and the file system throw.
const table = [
  { what: 'SQLITE_FULL', thrown: { errcode: 13 }, write: 'storage-full', read: 'storage-full', fatal: false },
  {
    what: 'SQLITE_IOERR_SHMSIZE',
    thrown: { errcode: 4874 },
    write: 'storage-full',
    read: 'storage-full',
    fatal: false,
  },
  {
    what: 'SQLITE_IOERR_WRITE',
    thrown: { errcode: 778 },
    write: 'storage-failed',
    read: 'storage-failed',
    fatal: false,
  },
  {
    what: 'SQLITE_IOERR_FSYNC',
    thrown: { errcode: 1034 },
    write: 'storage-failed',
    read: 'storage-failed',
    fatal: true,
  },
  {
    what: 'SQLITE_IOERR_DIR_FSYNC',
    thrown: { errcode: 1290 },
    write: 'storage-failed',
    read: 'storage-failed',
    fatal: true,
  },
  { what: 'SQLITE_CORRUPT', thrown: { errcode: 11 }, write: 'storage-failed', read: 'object-corrupt', fatal: false },
  {
    what: 'SQLITE_CORRUPT_INDEX',
    thrown: { errcode: 779 },
    write: 'storage-failed',
    read: 'object-corrupt',
    fatal: false,
  },
  { what: 'SQLITE_NOTADB', thrown: { errcode: 26 }, write: 'storage-failed', read: 'object-corrupt', fatal: false },
  {
    what: 'ENOSPC of a write',
    thrown: { code: 'ENOSPC', syscall: 'write' },
    write: 'storage-full',
    read: 'storage-full',
    fatal: false,
  },
  {
    what: 'ENOSPC of a flush',
    thrown: { code: 'ENOSPC', syscall: 'fdatasync' },
    write: 'storage-full',
    read: 'storage-full',
    fatal: false,
  },
  {
    what: 'EDQUOT',
    thrown: { code: 'EDQUOT', syscall: 'write' },
    write: 'storage-full',
    read: 'storage-full',
    fatal: false,
  },
  {
    what: 'EIO of a flush',
    thrown: { code: 'EIO', syscall: 'fsync' },
    write: 'storage-failed',
    read: 'storage-failed',
    fatal: true,
  },
  {
    what: 'EIO of a write',
    thrown: { code: 'EIO', syscall: 'write' },
    write: 'storage-failed',
    read: 'storage-failed',
    fatal: false,
  },
  {
    what: 'EROFS',
    thrown: { code: 'EROFS', syscall: 'open' },
    write: 'storage-failed',
    read: 'storage-failed',
    fatal: false,
  },
] as const

for (const { what, thrown, write, read, fatal } of table)
  test(`${what} is ${write} when writing, ${read} when reading, and ${fatal ? 'fatal' : 'not fatal'}`, () => {
    const error = Object.assign(new Error(what), thrown)
    assert.is(asStorageError(error).code, write)
    assert.is(asReadError(error).code, read)
    assert.is(asStorageError(error).cause, error)
    assert.is(isFailedSync(error), fatal)
  })

test('what was a failure of the gateway already stays as it is', () => {
  const error = new GatewayError('object-missing')
  assert.is(asStorageError(error), error)
  assert.is(asReadError(error), error)
})

test.run()
