import type { Clock } from '../core/ports.ts'
import type { Conditions } from '../storage/storageThread.ts'
import type { ViewsStatus } from '../storage/viewsState.ts'
import { answered } from './answered.ts'

export const checkNames = ['log', 'vault', 'keys', 'disk', 'views', 'certificate'] as const

/** One thing without which the gateway does not do its work. `detail` names no path, no peer and no mailbox. */
export type Check = {
  readonly name: (typeof checkNames)[number]
  readonly ok: boolean
  readonly detail: string
}

export type ReadinessParts = {
  readonly head: () => Promise<unknown>
  readonly conditions: () => Promise<Conditions>
  readonly views: { status(): Pick<ViewsStatus, 'state' | 'mailboxesKnown'> }
  /** See `viewsLag`. */
  readonly lag: () => Promise<number>
  readonly certificateExpires: () => Date
  readonly clock: Clock
  /** Octets below which the room on a disk is too little. */
  readonly diskReserve: () => number
}

/** Seconds by which the views may be behind the log. */
const mayLag = 30
/** Milliseconds for which an answer holds: whoever may ask may ask often. */
const holds = 1000

/** Every check, in the order of `checkNames`. Never rejects. */
export const readiness = (parts: ReadinessParts): (() => Promise<readonly Check[]>) => {
  const { clock } = parts
  let last: { readonly at: number; readonly checks: Promise<readonly Check[]> } | undefined
  return () => {
    const at = clock.now().getTime()
    if (!last || at - last.at >= holds || at < last.at) last = { at, checks: look(parts) }
    return last.checks
  }
}

const look = async (parts: ReadinessParts): Promise<readonly Check[]> => {
  const [head, conditions, lag] = await Promise.all([
    answered(parts.head),
    answered(parts.conditions),
    answered(parts.lag),
  ])
  return [
    checked('log', head === undefined ? 'it does not answer' : undefined, 'it answers'),
    placeChecked('vault', conditions),
    placeChecked('keys', conditions),
    diskChecked(conditions, parts.diskReserve()),
    viewsChecked(parts.views.status(), lag),
    certificateChecked(parts.certificateExpires(), parts.clock.now()),
  ]
}

const checked = (name: Check['name'], problem: string | undefined, well: string): Check => ({
  name,
  ok: problem === undefined,
  detail: problem ?? well,
})

const placeChecked = (name: 'vault' | 'keys', conditions: Conditions | undefined) =>
  checked(name, conditions ? conditions[name].problem : 'the storage does not answer', 'it can be written to')

const diskChecked = (conditions: Conditions | undefined, reserve: number) => {
  if (!conditions) return checked('disk', 'the storage does not answer', '')
  const free = Math.min(...Object.values(conditions).map((condition) => condition.free))
  const detail = `${mebibytes(free)} MiB free where it is least, ${mebibytes(reserve)} MiB wanted`
  return checked('disk', free < reserve ? detail : undefined, detail)
}

const mebibytes = (octets: number) => Math.floor(octets / 2 ** 20)

const viewsChecked = (
  { state, mailboxesKnown }: ReturnType<ReadinessParts['views']['status']>,
  lag: number | undefined,
) => {
  if (state !== 'live') {
    const mail = mailboxesKnown ? 'mail is received' : 'mail is put off once they are behind for limits.logLag'
    return checked('views', `they are ${state}; ${mail}`, '')
  }
  if (lag === undefined) return checked('views', 'the log does not say how far they are', '')
  return checked('views', lag > mayLag ? `they are ${Math.round(lag)} s behind` : undefined, 'they follow the log')
}

const certificateChecked = (expires: Date, now: Date) => {
  const day = expires.toISOString().slice(0, 10)
  return checked('certificate', expires <= now ? `it has expired on ${day}` : undefined, `it is valid until ${day}`)
}
