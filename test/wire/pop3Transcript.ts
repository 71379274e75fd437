import * as assert from 'uvu/assert'
import type { Fact } from '../../src/core/events.ts'
import { systemClock } from '../../src/core/ports.ts'
import { type Pop3Deps, type Pop3Server, startPop3 } from '../../src/pop3/pop3Server.ts'
import type { SessionEnd } from '../../src/sessions.ts'
import type { LoadBalancers } from '../../src/wire/loadBalancers.ts'
import { replayingSessions } from '../support/replayingSessions.ts'
import { openWire, type Wire } from '../support/wire.ts'
import { memoryMaildrops, type StoredMessage } from './memoryMaildrops.ts'
import { testCertificate } from './testCertificate.ts'

export const password = 'correct-horse'
const ordinary: Pop3Deps['limits'] = {
  pop3Sessions: 50,
  sessionsPerClient: 50,
  pop3Idle: 30,
  tlsHandshake: 60,
  slowestRate: 100,
  badCommands: 10,
  transcript: 64 * 1024,
}
const pair = await testCertificate()

/** A POP3 server over a mailbox in memory, and everything that it told the gateway. */
/** Nobody speaks for others. */
export const noBalancers: LoadBalancers = { networks: [], refused: () => undefined }

export const pop3With = async (
  messages: StoredMessage[],
  limits: Partial<Pop3Deps['limits']> = {},
  loadBalancers = noBalancers,
) => {
  const memory = memoryMaildrops(password, messages)
  const seen = {
    opened: 0,
    facts: [] as Fact[],
    ends: [] as SessionEnd[],
    refused: [] as string[],
    logged: [] as string[],
  }
  const replayed = replayingSessions()
  const note = (fields: object, text: string) => void seen.logged.push(`${text} ${JSON.stringify(fields)}`)
  const started = await startPop3({
    listeners: [
      { host: '127.0.0.1', port: 0, protocol: 'pop3' },
      { host: '127.0.0.1', port: 0, protocol: 'pop3s' },
    ],
    domain: 'gateway.example',
    loadBalancers,
    limits: { ...ordinary, ...limits },
    tls: () => pair,
    proxies: undefined,
    maildrops: memory.maildrops,
    sessions: replayed.recorder({
      opened: () => void (seen.opened += 1),
      happened: (fact) => void seen.facts.push(fact),
      closed: (end) => void seen.ends.push(end),
    }),
    clock: systemClock,
    refused: (_, kind) => void seen.refused.push(kind),
    logger: { info: note, warn: note, error: note },
  })
  const server: Pop3Server = {
    ...started,
    close: async (graceMs) => {
      await started.close(graceMs)
      replayed.verify()
    },
  }
  const [plain = 0, secure = 0] = server.addresses.map(({ port }) => port)
  return { ...memory, server, seen, plain, secure }
}

export type Pop3Fixture = Awaited<ReturnType<typeof pop3With>>

/**
 * Plays `C:` lines and expects `S:` lines, octet for octet; `…` at an expected line's end stands for any text. Other
 * lines: `TLS` does the handshake, `END` expects that the server closes.
 */
export const play = async (wire: Wire, transcript: string) => {
  for (const line of transcript.split('\n').map((text) => text.trim())) {
    if (line.startsWith('C: ')) wire.send(Buffer.from(`${line.slice(3)}\r\n`, 'latin1'))
    else if (line === 'TLS') await wire.startTls()
    else if (line === 'END') await wire.closed()
    else if (line.startsWith('S:')) expectLine(await wire.line(), line.slice(3))
    else if (line !== '') throw new Error(`not a line of a transcript: ${line}`)
  }
}

const expectLine = (got: string, expected: string) => {
  if (!expected.endsWith('…')) assert.is(got, expected)
  else assert.ok(got.startsWith(expected.slice(0, -1)), `expected ${expected}, got ${got}`)
}

const greeting = 'S: +OK gateway.example Sealpost POP3 service ready'

/** Plays against a new connection: `pop3s` unless the transcript is one of port `plain`. */
export const playTo = async ({ plain, secure }: Pop3Fixture, transcript: string, tls = true): Promise<Wire> => {
  const wire = await openWire(tls ? secure : plain, { tls })
  await play(wire, `${greeting}\n${transcript}`)
  return wire
}

/** The lines of a login, for the head of a transcript. */
export const login = (size: string) => `
  C: USER alice
  S: +OK Send the password
  C: PASS ${password}
  S: +OK ${size}
`
