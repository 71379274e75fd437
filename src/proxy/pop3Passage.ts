import type { Relayed } from '../../actors/pop3Setup.ts'
import type { RemoteStatus } from '../../actors/proxied.ts'
import { keepChunk } from '../core/chunks.ts'

const end = Buffer.from('.\r\n')

/** The client's end of a reply. */
export type Outlet = {
  write(octets: Uint8Array): void
  /** Resolves when the client takes more; rejects when it is gone. */
  drained(): Promise<void>
}

/**
 * One reply of the remote server on its way to the client. Up to some octets it is held back until it may be ended, so that it
 * can still be refused; what is longer goes on as it comes, all but its end.
 */
export type Passage = {
  /** What the client can be told. Rejects when it is told a failure. */
  readonly relayed: Promise<Relayed>
  /** Further octets, in order; resolves when more may come. */
  push(octets: Uint8Array): Promise<void>
  /** The reply is its status line. */
  answer(status: RemoteStatus): void
  /** The reply may be ended. */
  release(): void
  fail(error: unknown): void
  /** Writes the status line and all that is there. */
  begin(statusLine: Uint8Array): void
  /** Resolves when the reply may be ended. */
  released(): Promise<void>
  end(): void
}

export const openPassage = (outlet: Outlet, mostHeld: number): Passage => {
  const relayed = Promise.withResolvers<Relayed>()
  const begun = Promise.withResolvers<undefined>()
  const released = Promise.withResolvers<undefined>()
  // A failure is told where somebody waits.
  for (const { promise } of [relayed, begun, released]) promise.catch(() => undefined)
  const held: Uint8Array[] = []
  let heldOctets = 0
  let [flowing, whole] = [false, false]

  return {
    relayed: relayed.promise,
    push: async (octets) => {
      if (!flowing) {
        keepChunk(held, octets)
        heldOctets += octets.length
        if (heldOctets <= mostHeld) return
        relayed.resolve({ status: 'ok', rest: true })
        await begun.promise
      } else outlet.write(octets)
      await outlet.drained()
    },
    answer: (status) => relayed.resolve({ status, rest: false }),
    release: () => {
      whole = heldOctets <= mostHeld
      if (whole) relayed.resolve({ status: 'ok', rest: false })
      released.resolve(undefined)
    },
    fail: (error) => {
      for (const { reject } of [relayed, begun, released]) reject(error)
    },
    begin: (statusLine) => {
      outlet.write(statusLine)
      for (const octets of held.splice(0)) outlet.write(octets)
      if (whole) outlet.write(end)
      flowing = true
      begun.resolve(undefined)
    },
    released: () => released.promise,
    end: () => outlet.write(end),
  }
}
