import { GatewayError } from '../core/errors.ts'
import type { Position } from '../core/ids.ts'
import type { Logger } from '../core/ports.ts'
import type { EventPlace } from '../core/unreadableEvent.ts'
import type { ProjectorReport } from './projector.ts'
import { type Progress, progressLog } from './viewsProgress.ts'
import { visibility, type Visibility } from './visibility.ts'

/**
 * `behind`: they are being built, mail is received meanwhile. `stalled`: the disk is in the way, it goes on by itself.
 * `stopped`: nothing is folded until the next start or, where no event has stopped them, until they are opened anew.
 */
export const viewsStates = ['live', 'behind', 'stalled', 'stopped', 'closed'] as const

export type ViewsStatus = {
  readonly state: (typeof viewsStates)[number]
  /** Everything up to here is in the views. */
  readonly position: Position
  readonly reason: string | undefined
  /** The event that has stopped them. */
  readonly event: EventPlace | undefined
  /** While they are `behind`. */
  readonly progress: Progress | undefined
  /** Up to here those of the mailboxes and the senders are. */
  readonly mailboxesPosition: Position
  /** Whether the mailboxes are up to date all the same: a mailbox that they do not know does not exist. */
  readonly mailboxesKnown: boolean
}

/** Why the views could not be opened. */
export type Stop = { readonly reason: string; readonly corrupt: boolean; readonly event?: EventPlace | undefined }

/** What the projector's reports say about the views, and those who wait for them. */
export type ViewsState = {
  readonly status: () => ViewsStatus
  readonly visible: Visibility['wait']
  readonly mailboxesVisible: Visibility['wait']
  /** `open` once the mailboxes are known, and all views or `allWithin` has passed, or an event has stopped the others. */
  readonly begun: Promise<'open' | Stop>
  on(report: ProjectorReport): void
  /** The projector will report nothing more. */
  ended(reason: string): void
  close(): void
}

/** Milliseconds that a start waits for all views: who can do without some of them does not wait for longer. */
const allWithin = 2000

export const viewsState = (logger: Logger): ViewsState => {
  const visible = visibility()
  const mailboxes = visibility()
  const begun = Promise.withResolvers<'open' | Stop>()
  const progress = progressLog(logger)
  let state: ViewsStatus['state'] = 'behind'
  let unhindered: 'behind' | 'live' = 'behind'
  let opened = false
  let mailboxesKnown = false
  let reason: string | undefined
  let event: EventPlace | undefined

  const failure = (why: string) => new GatewayError('storage-failed', { cause: `the views have ${state}: ${why}` })
  const hinder = (next: 'stalled' | 'stopped', why: string) => {
    if (state !== next) logger.error({ reason: why, ...event }, `The views have ${next}`)
    state = next
    reason = why
    visible.refuse(failure(why))
  }
  const loseMailboxes = (why: string) => {
    mailboxesKnown = false
    mailboxes.refuse(failure(why))
  }
  const stop = (stopped: Stop) => {
    progress.cancel()
    event = stopped.event
    hinder('stopped', stopped.reason)
    // At an event that it cannot read, the projector goes on with the mailboxes alone.
    const goesOn = event !== undefined && opened
    if (!goesOn) loseMailboxes(stopped.reason)
    begun.resolve(goesOn ? 'open' : stopped)
  }
  const know = (position: Position) => {
    mailboxesKnown = true
    mailboxes.advance(position)
  }
  const advance = (position: Position) => {
    if (state === 'stalled') {
      logger.info({ position }, 'The views go on')
      state = unhindered
      reason = undefined
    }
    visible.advance(position)
    know(position)
  }
  const open = (report: Extract<ProjectorReport, { type: 'opened' }>) => {
    opened = true
    progress.begin(report)
    advance(report.from)
    know(report.mailboxes)
    setTimeout(() => begun.resolve('open'), allWithin).unref()
  }
  const caughtUp = () => {
    progress.end()
    unhindered = 'live'
    if (state === 'behind') state = unhindered
    begun.resolve('open')
  }

  return {
    begun: begun.promise,
    visible: visible.wait,
    mailboxesVisible: mailboxes.wait,
    status: () => ({
      state,
      position: visible.position(),
      reason,
      event,
      progress: state === 'behind' ? progress.current() : undefined,
      mailboxesPosition: mailboxes.position(),
      mailboxesKnown,
    }),
    on: (report) => {
      // Where no event has stopped them they stay so: whoever has found the file damaged, the projector may not have noticed.
      if (state === 'closed' || (state === 'stopped' && !event)) return
      switch (report.type) {
        case 'opened':
          open(report)
          break
        case 'mailboxes':
          know(report.position)
          break
        case 'mailboxesStopped':
          logger.error({ reason: report.reason }, 'The mailboxes have stopped too: what is new of them is not known')
          loseMailboxes(report.reason)
          break
        case 'folded':
          progress.count(report.events, report.position)
          advance(report.position)
          break
        case 'caughtUp':
          caughtUp()
          break
        case 'stalled':
          hinder('stalled', report.reason)
          loseMailboxes(report.reason)
          break
        case 'stopped':
          stop(report)
          break
        case 'closed':
      }
    },
    ended: (why) => {
      if (state === 'closed') return
      if (state === 'stopped') loseMailboxes(why)
      else stop({ reason: why, corrupt: false })
    },
    close: () => {
      progress.cancel()
      state = 'closed'
      mailboxesKnown = false
      for (const one of [visible, mailboxes]) one.refuse(new GatewayError('shutting-down'))
    },
  }
}
