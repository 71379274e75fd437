import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** A change of a file system, or its way to the disk. Times are milliseconds since the epoch. */
export type Operation = { readonly begun: number; readonly ended: number } & (
  | {
      readonly is: 'open'
      readonly path: string
      readonly create: boolean
      readonly truncate: boolean
      readonly append: boolean
    }
  | { readonly is: 'write'; readonly path: string; readonly bytes: Buffer; readonly offset: number | undefined }
  | { readonly is: 'truncate'; readonly path: string; readonly size: number }
  | { readonly is: 'sync'; readonly path: string; readonly failed: boolean }
  | { readonly is: 'rename' | 'link'; readonly path: string; readonly to: string }
  | { readonly is: 'unlink' | 'mkdir'; readonly path: string }
)

const line = /^(\d+\.\d+) (\w+)\((.*)\)\s+= (-?\d+)(<[^>]*>)?.*? <(\d+\.\d+)>$/s
const octets = (escaped: string) => Buffer.from(escaped.replaceAll('\\x', ''), 'hex')
const quoted = (args: string) => [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, text = '']) => octets(text))
const pathOfDescriptor = (args: string) => octets(/^\d+<((?:\\x[0-9a-f]{2})*)>/.exec(args)?.[1] ?? '').toString()
const lastNumber = (args: string) => Number(/, (\d+)$/.exec(args)?.[1])

/** The operation of a call of strace's output, undefined for those that failed and so changed nothing. */
export const operationOf = (text: string): Operation | undefined => {
  const [, start = '', call = '', args = '', result = '', , took = ''] = line.exec(text) ?? []
  if (call === '') return undefined
  const begun = Number(start) * 1000
  const times = { begun, ended: begun + Number(took) * 1000 }
  const path = pathOfDescriptor(args)
  if (call === 'fsync' || call === 'fdatasync') return { ...times, is: 'sync', path, failed: Number(result) < 0 }
  if (Number(result) < 0) return undefined
  const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = quoted(args)
  const written = () => Buffer.concat(quoted(args)).subarray(0, Number(result))
  switch (call) {
    case 'openat': {
      const has = (flag: string) => args.includes(flag)
      const flags = { create: has('O_CREAT'), truncate: has('O_TRUNC'), append: has('O_APPEND') }
      return { ...times, is: 'open', path: first.toString(), ...flags }
    }
    case 'pwrite64':
    case 'pwritev':
      return { ...times, is: 'write', path, bytes: written(), offset: lastNumber(args) }
    case 'write':
    case 'writev':
      return { ...times, is: 'write', path, bytes: written(), offset: undefined }
    case 'ftruncate':
      return { ...times, is: 'truncate', path, size: lastNumber(args) }
    case 'mkdir':
    case 'mkdirat':
      return { ...times, is: 'mkdir', path: first.toString() }
    case 'unlink':
    case 'unlinkat':
      return { ...times, is: 'unlink', path: first.toString() }
    case 'link':
    case 'linkat':
      return { ...times, is: 'link', path: first.toString(), to: second.toString() }
    default:
      return { ...times, is: 'rename', path: first.toString(), to: second.toString() }
  }
}

/** Made anew from the write-ahead log by whoever opens the database first. */
const isSharedMemory = (path: string) => path.endsWith('-shm')

/** All operations below a directory that were recorded into `<output>.<thread>`, in the order in which they ended. */
export const readRecording = (output: string, below: string): readonly Operation[] =>
  readdirSync(dirname(output))
    .filter((name) => name.startsWith(`${basename(output)}.`))
    .flatMap((name) => readFileSync(join(dirname(output), name), 'latin1').split('\n'))
    .map(operationOf)
    .filter((one) => one !== undefined)
    .filter(({ path }) => (path === below || path.startsWith(`${below}/`)) && !isSharedMemory(path))
    .toSorted((a, b) => a.ended - b.ended)
