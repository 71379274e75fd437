import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { newNote, noteOf } from './note.ts'
import type { Json } from './target.ts'
import type { Result, Task, Told } from './worker.ts'

export type Failure = { readonly input: Json | undefined; readonly why: string }
export type Ran = { readonly failures: readonly Failure[]; readonly result: Result | undefined }

/** Milliseconds of processor time in which a thread must come to its next input, or it hangs: a busy machine is no hang. */
const ample = 20_000

const processorTime = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Runs a target in a thread of its own, which may hang or die. */
export const runTarget = (task: Omit<Task, 'note'>, patience = ample): Promise<Ran> =>
  new Promise((resolve) => {
    const shared = newNote()
    const note = noteOf(shared)
    const found: Failure[] = []
    const worker = new Worker(join(import.meta.dirname, 'worker.ts'), { workerData: { ...task, note: shared } })
    const end = (result?: Result) => {
      clearInterval(watch)
      void worker.terminate()
      resolve({ failures: found, result })
    }
    const fail = (why: string) => {
      found.push({ input: note.count() === 0 ? undefined : note.read(), why })
      end()
    }
    let [seen, since] = [-1, 0]
    const watch = setInterval(() => {
      const count = note.count()
      if (count !== seen) [seen, since] = [count, processorTime()]
      else if (processorTime() - since > patience) fail(`hangs: nothing in ${patience} ms of processor time`)
    }, patience / 40)
    worker.on('message', (told: Told) => {
      if (told.is === 'failed') found.push(told)
      else end(told.result)
    })
    worker.on('error', (error) => fail(`the thread died: ${error instanceof Error ? error.stack : String(error)}`))
  })
