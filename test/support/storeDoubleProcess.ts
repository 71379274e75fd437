import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../../ops/scratchGateway.ts'
import type { StoreDoubleOptions } from './storeDouble.ts'
import type { Fault } from './storeDoubleFaults.ts'

const main = join(import.meta.dirname, 'storeDoubleMain.ts')

/** A double in a process of its own, on one port and one file however often it is killed and started again. */
export type StoreDoubleProcess = {
  readonly url: string
  arm(fault: Fault): void
  kill(): Promise<void>
  /** It is there and answers nobody, until it is thawed. */
  freeze(): void
  thaw(): void
  /** With further options, this time. */
  start(more?: Partial<StoreDoubleOptions>): Promise<void>
  /** Kills it and removes its file. */
  remove(): Promise<void>
}

export type StoreDoubleProcessOptions = Omit<StoreDoubleOptions, 'file' | 'port'> & { readonly started?: boolean }

export const storeDoubleProcess = async ({
  started = true,
  ...options
}: StoreDoubleProcessOptions = {}): Promise<StoreDoubleProcess> => {
  const directory = mkdtempSync(join(tmpdir(), 'sealpost-store-'))
  const { admin: port } = await freePorts()
  const begin = async (more: Partial<StoreDoubleOptions> = {}) => {
    const settings: StoreDoubleOptions = { noise: true, ...options, ...more, port, file: join(directory, 'store.db') }
    const child = fork(main, [JSON.stringify(settings)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: [],
    })
    await once(child, 'message')
    return child
  }
  let child = started ? await begin() : undefined
  const kill = async () => {
    const killed = child
    child = undefined
    if (!killed || killed.exitCode !== null || killed.signalCode !== null) return
    killed.kill('SIGKILL')
    await once(killed, 'exit')
  }
  return {
    get url() {
      return `esdb://127.0.0.1:${port}?tls=false`
    },
    arm: (fault) => void child?.send({ arm: fault }),
    kill,
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    start: async (more) => {
      await kill()
      child = await begin(more)
    },
    remove: async () => {
      await kill()
      rmSync(directory, { recursive: true })
    },
  }
}
