import { mailboxes } from './mailboxes.ts'
import { messages } from './messages.ts'
import type { Projection } from './projection.ts'
import { senders } from './senders.ts'
import { sessions } from './sessions.ts'
import { statistics } from './statistics.ts'

/** Every view of the gateway. */
export const projections: readonly Projection[] = [mailboxes, messages, sessions, statistics, senders]
