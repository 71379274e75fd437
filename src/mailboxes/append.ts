import { GatewayError } from '../core/errors.ts'
import type { Cause, Fact, Stamp } from '../core/events.ts'
import { type MailboxId, newCommandId } from '../core/ids.ts'
import type { Appended, EventLog } from '../core/ports.ts'
import { mailboxStream } from '../core/streams.ts'
import { decide, type MailboxCommand } from './decide.ts'
import type { MailboxAsOf } from './newest.ts'
import { appendSurely } from '../core/appending.ts'

export type AppendParts = { readonly log: Pick<EventLog, 'append'>; readonly stamp: Stamp }

/** What a command makes of a mailbox; throws the refusal. */
export const factsOf = (command: MailboxCommand, { state }: MailboxAsOf): readonly Fact[] => {
  const decision = decide(command, state)
  if ('refusal' in decision) throw new GatewayError(decision.refusal)
  return decision.facts
}

/** Appends what was decided on a mailbox; rejects with `revision-conflict` when something came between. */
export const appendAt = (
  { log, stamp }: AppendParts,
  { mailboxId, next }: Pick<MailboxAsOf, 'next'> & { readonly mailboxId: MailboxId },
  { facts, cause }: { readonly facts: readonly Fact[]; readonly cause: Cause },
): Promise<Appended> => {
  const events = facts.map((fact) => stamp(fact, cause))
  return appendSurely(log, { stream: mailboxStream(mailboxId), expected: next, commandId: newCommandId(), events })
}
