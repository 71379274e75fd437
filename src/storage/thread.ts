import { Worker } from 'node:worker_threads'

/**
 * MiB of a thread's young generation. Sealing and storing leave little garbage in the heap but much beside it (each
 * buffer's octets), which is freed only when the heap is swept: the smaller the sooner, and little survives a sweep.
 */
const maxYoungGenerationSizeMb = 4

/** Starts a thread of the gateway's. `workerData` is cloned. Above `mostHeap` MiB, by default what the machine has, it dies. */
export const startThread = (file: URL, workerData: unknown, mostHeap?: number): Worker =>
  new Worker(file, {
    workerData,
    resourceLimits: {
      maxYoungGenerationSizeMb,
      ...(mostHeap !== undefined && { maxOldGenerationSizeMb: mostHeap }),
    },
  })
