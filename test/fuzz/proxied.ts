import { createHmac } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { inspect } from 'node:util'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import type { Archive, Delivery } from '../../src/archive.ts'
import { GatewayError } from '../../src/core/errors.ts'
import type { MailboxId, Position } from '../../src/core/ids.ts'
import type { Logger } from '../../src/core/ports.ts'
import { systemClock } from '../../src/core/ports.ts'
import { guessingGuard } from '../../src/keys/guessingGuard.ts'
import { openProxies } from '../../src/proxy/connect.ts'
import type { Dial } from '../../src/proxy/dial.ts'
import { textOf } from './octets.ts'

const mailboxId = `mbx-${'1'.repeat(32)}` as MailboxId
/** Who the clients are at a server. */
export const userAt = (server: string) => `anna%${server}%${mailboxId}`
/** What they log in with. */
export const secret = 'correct-horse'

/** What a server says in the place of its first answers; null: as it should. */
export type Answers = readonly (string | null)[]
/** The server closes in the place of an answer, or upon it. */
export const gone = 'gone'
export const last = 'last'

/** Seconds: while nobody keeps silent, no answer is late. */
export const waiting = (patient: boolean) => {
  const seconds = patient ? 60 : 0.03
  return { loginTimeout: seconds, answerTimeout: seconds, holdTimeout: seconds, replyTimeout: seconds }
}

const mailbox = {
  mailboxId,
  recipient: 'age1recipient',
  generation: 1,
  state: 'active',
  proxy: { targets: [], networks: [] },
} as const

/** Who may reach which server: one client at a time. */
export const admission = (dial: Dial) => {
  const proxies = openProxies({
    settings: { targets: ['*'], connections: 1, connectionsPerClient: 1 },
    dial,
    resolve: (name) => (name === mailboxId ? mailbox : undefined),
    guard: guessingGuard(systemClock),
    refused: () => undefined,
  })
  return {
    proxies,
    /** Throws unless the next client has its place. */
    mustBeFree: async () => {
      const next = { name: `zoe%free.example.net%${mailboxId}`, service: 'smtp', remoteAddress: '192.0.2.2' } as const
      const { release } = await proxies.admit(next)
      release()
    },
  }
}

export type Kept = { readonly delivery: Delivery; readonly octets: string; readonly content: string | undefined }

/** How an archive does: it takes many turns of the event loop, or its disk is full. */
export type Disk = 'quick' | 'slow' | 'full'
export const anyDisk: fc.Arbitrary<Disk> = fc.constantFrom('quick', 'quick', 'slow', 'full')

/** An archive that keeps what it has been given to its end, unless its disk is full. */
export const keepingArchive = (disk: Disk) => {
  const kept: Kept[] = []
  const archive: Archive = {
    receive: async (delivery, body) => {
      let octets = ''
      for await (const piece of body) octets += textOf(piece)
      for (let turn = 0; turn < (disk === 'slow' ? 20 : 1); turn += 1) await nextTurn()
      if (disk === 'full') throw new GatewayError('storage-full')
      const { messageId, fingerprint } = delivery
      const content = fingerprint && createHmac('sha256', fingerprint.key).update(octets, 'latin1').digest('hex')
      kept.push({ delivery, octets, content })
      return { messageId, size: 0, wireSize: 0, position: '1' as Position, content }
    },
  }
  return { archive, kept }
}

/** A log that no secret may come into, and that defects are told. */
export const watchedLog = () => {
  const defects: string[] = []
  const note = (fields: object, text: string) => {
    if (`${text} ${inspect(fields, { depth: 8 })}`.includes(secret)) defects.push(`the log has the secret: ${text}`)
  }
  const logger: Logger = {
    info: note,
    warn: note,
    error: (fields, text) => void defects.push(`${text} ${inspect(fields)}`),
  }
  return { logger, mustBeClean: () => assert.equal(defects, []) }
}
