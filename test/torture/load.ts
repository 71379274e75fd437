import { setTimeout as delay } from 'node:timers/promises'
import type { Ports } from '../../ops/scratchGateway.ts'
import { pop3Client, type Pop3Client } from '../support/pop3Client.ts'
import { smtpClient, type SmtpClient } from '../support/smtpClient.ts'
import { type Client, collectSome, deliverOne, pause } from './clients.ts'
import { Violation } from './ledger.ts'
import type { Providers } from './providers.ts'
import { fetchSome, submitSome } from './proxiedClients.ts'
import type { Random } from './random.ts'

export type LoadParts = Client & {
  readonly ports: Ports
  readonly senders?: number
  readonly collectors?: number
  /** Those of mail clients that send and read through the gateway; there are none without. */
  readonly providers: Providers | undefined
}

export type Load = {
  /** Resolves once so many more mails have been acknowledged, or after so many milliseconds, with whether they were. */
  acknowledged(more: number, within: number): Promise<boolean>
  /** Ends all connections; rejects with what a collector saw that may never be. */
  stop(): Promise<void>
}

/** Senders and collectors that go on, whatever becomes of their connections, until they are stopped. */
export const startLoad = (parts: LoadParts): Load => {
  const { ports, mailboxes, ledger, random, collectors = 1, providers } = parts
  const { senders = providers ? 1 : 4 } = parts
  let over = false
  const isOver = () => over
  const open = new Set<SmtpClient | Pop3Client>()
  const violations: unknown[] = []

  const connected = async <C extends SmtpClient | Pop3Client>(
    connecting: Promise<C>,
    use: (client: C) => Promise<void>,
  ) => {
    const client = await connecting
    if (isOver()) client.wire.destroy()
    open.add(client)
    try {
      await use(client)
    } finally {
      open.delete(client)
      client.wire.destroy()
    }
  }
  const again = async (work: () => Promise<void>) => {
    while (!isOver()) {
      await work().catch((error: unknown) => {
        if (!(error instanceof Violation)) return
        violations.push(error)
        over = true
      })
      await delay(pause)
    }
  }
  const send = (chance: Random) => () =>
    connected(smtpClient(ports.smtp), async (client) => {
      while (!isOver()) {
        await deliverOne(client, { ledger, mailboxes, random: chance })
        await delay(chance.whole(0, 15))
      }
      await client.quit()
    })
  const collect = (chance: Random) => () =>
    connected(pop3Client(ports.pop3s), (client) => collectSome(client, { ledger, mailboxes, random: chance }))

  const submit = (from: Providers, chance: Random) => () =>
    connected(smtpClient(ports.submissions, { tls: true }), async (client) => {
      await submitSome(client, from, { ledger, mailboxes, random: chance })
    })
  const fetch = (from: Providers, chance: Random) => () =>
    connected(pop3Client(ports.pop3s), (client) => fetchSome(client, from, { ledger, mailboxes, random: chance }))

  const running = [
    ...Array.from({ length: senders }, () => again(send(random.fork()))),
    ...Array.from({ length: collectors }, () => again(collect(random.fork()))),
    ...(providers ? [submit, submit, submit, fetch, fetch].map((work) => again(work(providers, random.fork()))) : []),
  ]
  return {
    acknowledged: async (more, within) => {
      const [wanted, until] = [ledger.acknowledgements() + more, Date.now() + within]
      while (ledger.acknowledgements() < wanted && Date.now() < until) await delay(5)
      return ledger.acknowledgements() >= wanted
    },
    stop: async () => {
      over = true
      // What is under way may still be answered.
      await delay(20)
      for (const { wire } of open) wire.destroy()
      await Promise.all(running)
      if (violations.length > 0) throw violations[0]
    },
  }
}
