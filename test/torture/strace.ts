import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** What is done to the calls of some system calls, in each thread for itself: `KILL`, an errno, or a pause after the call. */
export type Injection = {
  readonly calls: readonly string[]
  /** `error=EIO`, `delay_exit=1000` (microseconds); `signal=KILL` only where strace was attached. */
  readonly what: string
  /** Which of them, in strace's notation: `3`, `3..5`, `3+`. */
  readonly when: string
  /** Only calls on these files. */
  readonly paths?: readonly string[]
  /** The file that strace writes what it has done to. */
  readonly output: string
}

const injecting = ({ calls, what, when, paths = [], output }: Injection) => [
  ...['-f', '-qq', '-o', output, '-e', `trace=${calls.join(',')}`, '-e', 'signal=none'],
  ...['-e', `inject=${calls.join(',')}:${what}:when=${when}`],
  ...paths.flatMap((path) => ['-P', path]),
]

/** The words before a program's that run it under strace from its start, in its own process. */
export const underStrace = (injection: Injection): readonly string[] => [
  ...['strace', '-D', '--seccomp-bpf'],
  ...injecting(injection),
]

/** Begins to do it to a process that runs already. Resolves once it is attached to all of its threads. */
export const attachStrace = async (pid: number, injection: Injection): Promise<ChildProcess> => {
  const strace = spawn('strace', [...injecting(injection), '-p', String(pid)], { stdio: 'ignore' })
  const isTraced = () => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    return !/^TracerPid:\s+0$/m.test(status)
  }
  for (let tries = 0; !isTraced() && tries < 500; tries++) await delay(10)
  // The other threads follow at once.
  await delay(50)
  return strace
}

const textIn = (output: string) => {
  try {
    return readFileSync(output, 'latin1')
  } catch {
    return ''
  }
}

/** Whether a call has been made to fail. */
export const hasInjected = (output: string): boolean => textIn(output).includes('(INJECTED)')

/** Milliseconds after which a call that has begun and not ended is one that strace holds up, and not one that takes its time. */
const longCall = 100

/** Tells, asked again and again, whether a call is being held up: before it (strace has written how it begins) or after it. */
export const heldUp = (output: string): (() => boolean) => {
  let [seen, since] = ['', 0]
  return () => {
    const text = textIn(output)
    if (text !== seen) [seen, since] = [text, Date.now()]
    if (text.endsWith('\n') || text === '') return text.includes('(DELAYED)')
    return Date.now() - since >= longCall
  }
}

/** Calls that change what is on a disk or make it durable. */
export const recordedCalls = [
  ...['openat', 'pwrite64', 'pwritev', 'write', 'writev', 'ftruncate', 'fsync', 'fdatasync'],
  ...['rename', 'renameat', 'renameat2', 'link', 'linkat', 'unlink', 'unlinkat', 'mkdir', 'mkdirat'],
] as const

/** The same for recording all of them with all octets: one file `<output>.<thread>` for each thread. */
export const recordedByStrace = (output: string, inject: readonly string[] = []): readonly string[] => [
  ...['strace', '-D', '--seccomp-bpf', '-ff', '-qq', '-y', '-xx', '-ttt', '-T', '-s', String(8 << 20)],
  ...['-o', output, '-e', `trace=${recordedCalls.join(',')}`, '-e', 'signal=none'],
  ...inject.flatMap((one) => ['-e', `inject=${one}`]),
]
