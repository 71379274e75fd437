import { parentPort, workerData } from 'node:worker_threads'
import type { Moment } from '../core/moment.ts'
import { openHistory, type Question } from '../history.ts'
import { type LogPlace, readLog } from '../log/openLog.ts'
import { answerCalls } from './calls.ts'

// The history thread: folds the log up to whatever moment is asked for, by a connection of its own. It is there only
// while somebody asks, and asks one thing at a time.

export type HistoryPlace = { readonly log: LogPlace; readonly domain: string }

export const historyMethods = async ({ log: place, domain }: HistoryPlace) => {
  const log = await readLog(place)
  const history = openHistory({ log, domain })
  let running = new AbortController()
  return {
    ask: async ({ question, moment }: { readonly question: Question; readonly moment: Moment }) => {
      running = new AbortController()
      return history.ask(question, moment, running.signal)
    },
    /** Whoever asked has gone. */
    cancel: () => running.abort(),
    close: async () => {
      history.close()
      await log.close()
    },
  }
}

export type HistoryMethods = Awaited<ReturnType<typeof historyMethods>>

if (parentPort) answerCalls(parentPort, () => historyMethods(workerData as HistoryPlace))
