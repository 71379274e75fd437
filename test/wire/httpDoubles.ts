import { DatabaseSync } from 'node:sqlite'
import { projections } from '../../projections/projections.ts'
import { viewWriter } from '../../projections/projection.ts'
import { createViews, fold } from '../../projections/runner.ts'
import { type ErrorCode, GatewayError } from '../../src/core/errors.ts'
import { type Cause, type Fact, type Metadata, type Recorded, stamper } from '../../src/core/events.ts'
import { type MailboxId, newMessageId, origin, type Position, vaultKey } from '../../src/core/ids.ts'
import { Secret } from '../../src/core/secret.ts'
import { aliasStream, mailboxStream, messageStream, type StreamName } from '../../src/core/streams.ts'
import { type EventPlace, UnreadableEvent } from '../../src/core/unreadableEvent.ts'
import { type Clock, type EventLog, systemClock } from '../../src/core/ports.ts'
import { openAccess } from '../../src/access/openAccess.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { memorySenders } from '../support/memorySenders.ts'
import { openHistory } from '../../src/history.ts'
import type { AdminApi } from '../../src/http/buildApp.ts'
import { cursorsUnder } from '../../src/http/cursors.ts'
import type { Change } from '../../src/mailboxes.ts'
import type { KeyChange } from '../../src/mailboxes/keyChanges.ts'
import type { Check } from '../../src/metrics/readiness.ts'
import type { ViewsStatus } from '../../src/storage/viewsState.ts'
import type { Opening } from '../../src/openMessage.ts'

export const token = 'correct-horse-battery-staple'
export const password = 'abcd-efgh-ijkl'
export const mailboxId = 'mbx-00000000000000000000000000000001' as MailboxId
const created = new Date('2026-03-01T10:00:00.000Z')
const cause: Cause = { principal: 'system', correlationId: 'c', causationId: 'c' }

/** A log and its views in memory, and use cases that note what they were asked for. `clock` is that of logins. */
export const doubles = (clock: Clock = systemClock) => {
  const db = new DatabaseSync(':memory:')
  const views = viewWriter(db)
  createViews(db, projections)
  const events: Recorded[] = []
  const calls: unknown[][] = []
  const said: string[] = []
  const audited: unknown[][] = []
  const live: ViewsStatus = {
    state: 'live',
    position: origin,
    reason: undefined,
    event: undefined,
    progress: undefined,
    mailboxesPosition: origin,
    mailboxesKnown: true,
  }
  let status = live
  const well: Check = { name: 'log', ok: true, detail: 'it answers' }
  let checks = [well]
  let unreadable: EventPlace | undefined
  let deletionFailure: ErrorCode | undefined

  const happened = (stream: StreamName, fact: Fact, at = created, by: Partial<Metadata> = {}) => {
    const position = String(events.length + 1).padStart(16, '0') as Position
    const revision = events.filter((event) => event.stream === stream).length
    const metadata = { ...stamper('one', () => at)(fact, cause).metadata, ...by }
    const id = `event-${events.length + 1}`
    const event = { ...fact, id, stream, revision, position, recordedAt: at.toISOString(), metadata } as Recorded
    events.push(event)
    fold(db, projections, [event])
  }

  const mailboxExists = (id: MailboxId, name: string, aliases: readonly string[] = []) => {
    for (const alias of aliases) happened(aliasStream(alias), { type: 'AliasReserved', data: { mailboxId: id, alias } })
    const recipient = 'age1recipient'
    happened(mailboxStream(id), {
      type: 'MailboxCreated',
      data: { mailboxId: id, name, aliases, recipient, generation: 1, identitySha256: '00' },
    })
  }

  const messageExists = (id = mailboxId) => {
    const messageId = newMessageId()
    const about = { messageId, mailboxId: id }
    const received = {
      ...about,
      size: 1000,
      wireSize: 1010,
      source: 'journal',
      sessionId: 's' as never,
      tls: null,
    } as const
    happened(messageStream(messageId), { type: 'MessageReceived', data: received })
    const sealed = {
      ...about,
      object: vaultKey(messageId),
      generation: 1,
      sealedSize: 1200,
      sealedSha256: 'ab',
    }
    happened(messageStream(messageId), { type: 'MessageSealed', data: sealed })
    return messageId
  }

  /** As a log behaves whose next event, of every stream, is one of a newer gateway. */
  const readable = (after: readonly Recorded[], limit: number) => {
    if (!unreadable || after.length >= limit) return Promise.resolve(after.slice(0, limit))
    return Promise.reject(
      new UnreadableEvent(unreadable, { detail: `position ${unreadable.position}, type MessageForwarded` }),
    )
  }

  const log: Pick<EventLog, 'readAll' | 'readStream' | 'head'> = {
    readAll: (position, limit) =>
      readable(
        events.filter((event) => event.position > position),
        limit,
      ),
    readStream: (stream, revision, limit) =>
      readable(
        events.filter((event) => event.stream === stream && event.revision >= revision),
        limit,
      ),
    head: () => Promise.resolve(events.at(-1)?.position ?? origin),
  }
  let history = openHistory({ log, domain: 'archive.example.com' })

  const note = (name: string, ...details: unknown[]) => void calls.push([name, ...details])
  const noted = (name: string, { mailboxId, cause: { principal }, ifMatch }: Change, ...details: unknown[]) => {
    note(name, mailboxId, ...details, principal)
    return ifMatch && !ifMatch.includes(0) ? Promise.reject(new GatewayError('revision-mismatch')) : Promise.resolve(1)
  }
  const keysChanged = async (name: string, change: KeyChange, wanted?: string) => {
    await noted(name, change, ...(wanted === undefined ? [] : [wanted]), change.remoteAddress)
    const told = wanted === undefined ? new Secret(password) : undefined
    return { revision: 1, generations: [1, 2], shut: { messages: 3, inMaildrop: 2 }, password: told }
  }
  const say = (_: object, text: string) => void said.push(text)
  const refused = (source: string, kind: string) => note('refused', source, kind)
  const logger = { info: say, warn: say, error: say }
  const access = openAccess({
    log: memoryLog({ clock }),
    keys: memoryKeys().keys,
    stamp: stamper('one', () => clock.now()),
    clock,
    logger,
    refused,
    firstPasswordFile: '/nonexistent/admin.password',
  })
  const mail = memorySenders()
  const api: AdminApi = {
    version: '1.2.3',
    domain: 'archive.example.com',
    token: new Secret(token),
    access,
    senders: mail.senders,
    audit: {
      read: (record, by) => Promise.resolve(void audited.push(['read', record, by.principal])),
      opened: (record, by) => Promise.resolve(void audited.push(['opened', record, by.principal])),
      deletionRefused: (refusal, by) => Promise.resolve(void audited.push(['deletionRefused', refusal, by.principal])),
      exported: (identity, by) => Promise.resolve(void audited.push(['exported', identity, by.principal])),
    },
    mailboxes: {
      create: ({ name, aliases, idempotencyKey, cause: { principal } }) => {
        note('create', name, aliases, principal)
        const address = `${mailboxId}@archive.example.com`
        if (idempotencyKey === 'used') return Promise.resolve({ mailboxId, address, password: undefined })
        if (aliases.includes('taken@example.com')) return Promise.reject(new GatewayError('alias-taken'))
        return Promise.resolve({ mailboxId, address, password: new Secret(password) })
      },
      rename: (change, name) => noted('rename', change, name),
      changeAliases: (change, { add, remove }) => noted('changeAliases', change, add, remove),
      suspend: (change, reason) => noted('suspend', change, reason),
      hold: (change, reason) => noted('hold', change, reason),
      release: (change, reason) => noted('release', change, reason),
      resume: ({ mailboxId, cause: { principal } }) => {
        note('resume', mailboxId, principal)
        return Promise.reject(new GatewayError('mailbox-conflict'))
      },
      delete: (change, { reason, force }) =>
        deletionFailure ? Promise.reject(new GatewayError(deletionFailure)) : noted('delete', change, reason, force),
      retain: (change, grace) => noted('retain', change, grace),
      limitProxy: (change, limits) => noted('limitProxy', change, limits),
      setSenderPolicy: (change, policy) => noted('setSenderPolicy', change, policy),
    },
    restore: ({ messageId }, { principal }) => {
      note('restore', messageId, principal)
      return Promise.resolve()
    },
    views: { reader: views, status: () => status },
    log,
    clock: { now: () => new Date('2026-03-01T12:00:00.000Z') },
    cursors: cursorsUnder(Buffer.alloc(32, 1)),
    history: { ask: (...asked) => history.ask(...asked) },
    keyChanges: {
      changePassword: (change, { wanted }) => keysChanged('changePassword', change, wanted),
      rotateKey: async (change) => ({ ...(await keysChanged('rotateKey', change)), recipient: 'age1rotated' }),
      resetPassword: (change, { wanted }) => keysChanged('resetPassword', change, wanted),
      setRecovery: (change, { recipient }) => keysChanged('setRecovery', change, String(recipient)),
      recover: (change, { wanted }) => keysChanged('recover', change, wanted),
    },
    keyFile: (_, { kind, generation }) => Promise.resolve(Buffer.from(`${kind} of generation ${generation}`)),
    sealed: () => chunks('age-encryption.org/v1\n', 'sealed'),
    open: (opening) => {
      note('open', opening.message.messageId, opening.remoteAddress, opening.cause.principal)
      return opened(opening)
    },
    mailClients: {
      listening: () => [
        { protocol: 'pop3', port: 2110 },
        { protocol: 'pop3s', port: 2995 },
        { protocol: 'submission', port: 2587 },
      ],
      mustReach: (service, { server }) => {
        note('mustReach', service, server)
        if (server.endsWith('.org')) throw new GatewayError('proxy-target')
      },
    },
    backups: {
      make: (directory) => {
        note('backup', directory)
        return Promise.resolve({ directory, files: 3, octets: 1000, position: 7 })
      },
    },
    observation: {
      checks: () => Promise.resolve(checks),
      metrics: () => Promise.resolve('sealpost_messages_received_total 1\n'),
    },
    metricsAreOpen: false,
    refused,
    logger,
  }
  const reset = () => {
    for (const list of [events, calls, said, audited]) list.length = 0
    status = live
    checks = [well]
    unreadable = undefined
    deletionFailure = undefined
    history.close()
    history = openHistory({ log, domain: 'archive.example.com' })
    for (const { name } of views.all("select name from sqlite_schema where type = 'table'"))
      db.exec(`drop table ${String(name)}`)
    createViews(db, projections)
  }

  return {
    api,
    reset,
    calls,
    said,
    audited,
    access,
    happened,
    mailboxExists,
    messageExists,
    unreadableAfter: (count: number) => {
      const position = String(count + 1).padStart(16, '0') as Position
      unreadable = { position, stream: 'gateway-x', revision: 0, type: 'MessageForwarded' }
    },
    deletionFails: (code: ErrorCode) => (deletionFailure = code),
    viewsAre: (next: Partial<ViewsStatus>) => (status = { ...live, ...next }),
    checksAre: (...next: Check[]) => (checks = next),
    close: () => {
      history.close()
      db.close()
      mail.close()
    },
  }
}

// The ports are asynchronous, these doubles are not.
/* eslint-disable @typescript-eslint/require-await */
export async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

async function* opened({ password: given }: Opening): AsyncGenerator<Uint8Array> {
  if (given.reveal() !== password) throw new GatewayError('password-wrong')
  yield* chunks('Subject: test\r\n', '\r\n', 'body\r\n')
}
