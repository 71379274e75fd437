import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../../ops/scratchGateway.ts'
import { startStoreDouble, type StoreDouble, type StoreDoubleOptions } from './storeDouble.ts'

/** A double on a scratch file that can be stopped and started again, on the same port, with what it had committed. */
export type ScratchStore = {
  readonly url: string
  readonly double: () => StoreDouble
  stop(): Promise<void>
  start(): Promise<void>
  remove(): Promise<void>
}

export const scratchStore = async (options: Partial<StoreDoubleOptions> = {}): Promise<ScratchStore> => {
  const directory = mkdtempSync(join(tmpdir(), 'sealpost-store-'))
  const file = join(directory, 'store.db')
  const { admin: port } = await freePorts()
  const begin = () => startStoreDouble({ file, noise: true, port, ...options })
  let double = await begin()
  let running = true
  const stop = async () => {
    if (running) await double.close()
    running = false
  }
  return {
    url: `esdb://127.0.0.1:${port}?tls=false`,
    double: () => double,
    stop,
    start: async () => {
      double = await begin()
      running = true
    },
    remove: async () => {
      await stop()
      rmSync(directory, { recursive: true })
    },
  }
}
