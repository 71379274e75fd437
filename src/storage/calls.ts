import type { MessagePort, Transferable, Worker } from 'node:worker_threads'
import { asGatewayError, type ErrorCode, GatewayError } from '../core/errors.ts'

/**
 * Calls between the threads of one process: requests that are answered once. Values are structured clones; an octet
 * buffer named in `transfer` changes hands instead of being copied.
 */
export type Methods = Readonly<Record<string, (args: never) => unknown>>

type Args<M extends Methods, K extends keyof M> = Parameters<M[K]>[0]
type Result<M extends Methods, K extends keyof M> = Awaited<ReturnType<M[K]>>

/** A result whose buffers change hands. */
export class Transferred<T> {
  readonly value: T
  readonly transfer: Transferable[]
  constructor(value: T, transfer: Transferable[]) {
    this.value = value
    this.transfer = transfer
  }
}
type Plain<T> = T extends Transferred<infer V> ? V : T

type Failure = { readonly code: ErrorCode; readonly detail: string | undefined; readonly cause: string | undefined }
type Request = { readonly id: number; readonly method: string; readonly args: unknown }
type Reply = { readonly id: number; readonly value?: unknown; readonly failure?: Failure }

export type Call<M extends Methods> = <K extends keyof M & string>(
  method: K,
  args: Args<M, K>,
  transfer?: Transferable[],
) => Promise<Plain<Result<M, K>>>

const describe = (cause: unknown) =>
  cause instanceof Error ? (cause.stack ?? cause.message) : cause === undefined ? undefined : JSON.stringify(cause)

const toFailure = (error: unknown): Failure => {
  const { code, detail, cause } = asGatewayError(error)
  return { code, detail, cause: describe(cause) }
}

const toError = ({ code, detail, cause }: Failure) =>
  new GatewayError(code, {
    ...(detail === undefined ? {} : { detail }),
    ...(cause === undefined ? {} : { cause: remoteCause(cause) }),
  })

/** The other thread's cause, with its own stack. */
const remoteCause = (description: string) => {
  const [message = '', ...stack] = description.split('\n')
  return Object.assign(new Error(message), { stack: [message, ...stack].join('\n') })
}

/** A way to call, and how many calls have not been answered yet. */
export type Calls<M extends Methods> = Call<M> & { waiting(): number }

/** Answers the calls that arrive at `port`. If the methods cannot be had, that is the answer to every call. */
export const answerCalls = (port: MessagePort, open: () => Methods | Promise<Methods>): void => {
  const opened = Promise.try(open)
  opened.catch(() => undefined)
  const answer = async ({ id, method, args }: Request) => {
    try {
      const methods = await opened
      const result: unknown = await (methods[method] as (args: unknown) => unknown)(args)
      if (result instanceof Transferred) port.postMessage({ id, value: result.value as unknown }, result.transfer)
      else port.postMessage({ id, value: result })
    } catch (error) {
      port.postMessage({ id, failure: toFailure(error) })
    }
  }
  port.on('message', (request: Request) => void answer(request))
}

type Pending = { resolve(value: unknown): void; reject(error: unknown): void }

/** Calls the other side of `worker`. When it dies, everything that waits and everything to come is refused, for the reason that `why` gives. */
export const callsTo = <M extends Methods>(worker: Worker, why: () => unknown = () => undefined): Calls<M> => {
  const pending = new Map<number, Pending>()
  let next = 0
  let dead: GatewayError | undefined
  worker.on('message', ({ id, value, failure }: Reply) => {
    const waiting = pending.get(id)
    pending.delete(id)
    if (failure) waiting?.reject(toError(failure))
    else waiting?.resolve(value)
  })
  worker.on('exit', () => {
    dead = new GatewayError('storage-failed', { cause: why() ?? 'the thread has ended' })
    // What was asked may have been done: only the dead thread knew.
    for (const waiting of pending.values()) waiting.reject(new GatewayError('outcome-unknown', { cause: dead }))
    pending.clear()
  })
  const call: Call<M> = (method, args, transfer = []) => {
    if (dead) return Promise.reject(dead)
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const id = next++
    pending.set(id, { resolve, reject })
    worker.postMessage({ id, method, args }, transfer)
    return promise as Promise<never>
  }
  return Object.assign(call, { waiting: () => pending.size })
}
