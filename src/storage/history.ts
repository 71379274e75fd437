import type { Worker } from 'node:worker_threads'
import { GatewayError } from '../core/errors.ts'
import type { Moment } from '../core/moment.ts'
import type { Answer, Question } from '../history.ts'
import { type Call, callsTo } from './calls.ts'
import type { HistoryMethods, HistoryPlace } from './historyThread.ts'
import { startThread } from './thread.ts'

/** The past as the main thread can ask for it, without ever waiting for a disk. */
export type PastViews = {
  /**
   * Answers as `History.ask`, one question after the other. Rejects with `overloaded` when too many wait already, and
   * `shutting-down` after `close`.
   */
  ask(question: Question, moment: Moment, signal?: AbortSignal): Promise<Answer>
  close(): Promise<void>
}

export type PastViewsParts = HistoryPlace & {
  /** Questions at once: one is worked on, the others wait. */
  readonly questions: number
}

/** Milliseconds without a question after which the thread, and what it has folded, is let go of. */
const idleAfter = 60_000

export const pastViews = ({ log, domain, questions }: PastViewsParts): PastViews => {
  let thread: { readonly worker: Worker; readonly call: Call<HistoryMethods> } | undefined
  let idle: NodeJS.Timeout | undefined
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  let closed = false

  const start = () => {
    const worker = startThread(new URL('./historyThread.ts', import.meta.url), {
      log,
      domain,
    } satisfies HistoryPlace)
    const started = { worker, call: callsTo<HistoryMethods>(worker) }
    // Whoever waits is told so by `callsTo`; the next question starts another one.
    worker.on('error', () => undefined)
    worker.on('exit', () => {
      if (thread === started) thread = undefined
    })
    return started
  }

  const stop = async () => {
    clearTimeout(idle)
    const stopping = thread
    thread = undefined
    await stopping?.worker.terminate()
  }

  const answered = async (question: Question, moment: Moment, signal: AbortSignal | undefined) => {
    if (closed) throw new GatewayError('shutting-down')
    signal?.throwIfAborted()
    clearTimeout(idle)
    const { call } = (thread ??= start())
    const cancel = () => void call('cancel', undefined).catch(() => undefined)
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      return await call('ask', { question, moment })
    } finally {
      signal?.removeEventListener('abort', cancel)
      idle = setTimeout(() => void stop(), idleAfter).unref()
    }
  }

  return {
    ask: async (question, moment, signal) => {
      if (closed) throw new GatewayError('shutting-down')
      if (waiting >= questions) throw new GatewayError('overloaded')
      waiting++
      const turn = last.then(() => answered(question, moment, signal))
      last = turn.catch(() => undefined)
      return turn.finally(() => waiting--)
    },
    close: async () => {
      closed = true
      await stop()
      await last
    },
  }
}
