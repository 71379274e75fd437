import { PassThrough } from 'node:stream'
import { dkimVerify } from 'mailauth/lib/dkim/verify.js'
import { spf } from 'mailauth/lib/spf/index.js'
import type { DkimResult, SpfResult } from '../core/events.ts'
import { networksOf } from '../core/network.ts'
import { withoutMapping } from '../core/sourceAddress.ts'

/** Who delivers a message, and for whom he says he does. */
export type Peer = {
  readonly remoteAddress: string
  /** The argument of EHLO or HELO. */
  readonly helloName: string
  /** Empty for the null reverse-path. */
  readonly reversePath: string
}

/** Asks the DNS, as `dns.promises.resolve`. */
export type Resolve = (name: string, type: string) => Promise<string[] | string[][]>

// Nobody publishes what he says of these: this machine, its own networks, what is shared or link-local.
const inside = networksOf([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16'],
  ...['::/127', 'fc00::/7', 'fe80::/10'],
])

const spfResults: Readonly<Record<SpfResult, true>> = {
  pass: true,
  fail: true,
  softfail: true,
  neutral: true,
  none: true,
  temperror: true,
  permerror: true,
}
const isSpfResult = (text: string): text is SpfResult => Object.hasOwn(spfResults, text)
const dkimResults: Readonly<Record<DkimResult, true>> = {
  pass: true,
  fail: true,
  policy: true,
  neutral: true,
  temperror: true,
  permerror: true,
}
const isDkimResult = (text: string): text is DkimResult => Object.hasOwn(dkimResults, text)

/** RFC 7208, with its limits of ten questions and two empty answers; within so many milliseconds. Never rejects. */
export const judgeSpf = async (peer: Peer, resolve: Resolve, milliseconds: number): Promise<SpfResult> => {
  const { helloName, reversePath } = peer
  const remoteAddress = withoutMapping(peer.remoteAddress).replace(/%.*$/, '')
  if (inside.has(remoteAddress)) return 'none'
  try {
    const { status } = await spf({
      sender: reversePath,
      ip: remoteAddress,
      helo: helloName,
      mta: 'localhost',
      resolver: resolve,
      strict: true,
      maxElapsedTime: milliseconds,
    })
    return isSpfResult(status.result) ? status.result : 'permerror'
  } catch {
    return 'permerror'
  }
}

/** Octets of one line of a body; the verifier holds a line and looks at it anew with every piece of it. */
const maxLine = 256 * 1024

/** A message whose signatures are verified while it comes in. */
export type Signatures = {
  /** Resolves when there is room for more; with a result when no more is wanted. */
  take(octets: Uint8Array): Promise<readonly DkimResult[] | undefined>
  /** Of each signature. Never rejects. */
  end(): Promise<readonly DkimResult[]>
  drop(): void
}

/** RFC 6376, 8301 and 8463, to the letter. */
export const judgeSignatures = (resolve: Resolve): Signatures => {
  const message = new PassThrough()
  // Of what is dropped the verifier never says anything.
  const dropped = Promise.withResolvers<readonly DkimResult[]>()
  const results = Promise.race([dropped.promise, verified(message, resolve)])
  let line = 0
  let drained: Promise<undefined> | undefined
  const room = () =>
    (drained ??= new Promise((resolve) => {
      message.once('drain', () => {
        drained = undefined
        resolve(undefined)
      })
    }))
  const drop = (found: readonly DkimResult[]) => {
    message.destroy()
    dropped.resolve(found)
  }
  return {
    take: async (octets) => {
      const lineEnd = octets.lastIndexOf(0x0a)
      line = lineEnd < 0 ? line + octets.length : octets.length - lineEnd - 1
      if (line > maxLine) drop(['policy'])
      else if (message.write(octets)) return undefined
      return Promise.race([room(), results])
    },
    end: () => {
      message.end()
      return results
    },
    drop: () => drop(['temperror']),
  }
}

const verified = (message: PassThrough, resolver: Resolve): Promise<readonly DkimResult[]> =>
  dkimVerify(message, { resolver, strict: true })
    .then(({ results }) => results.map(resultOf).filter((result) => result !== undefined))
    .catch(() => ['permerror'])

type Verified = Awaited<ReturnType<typeof dkimVerify>>['results'][number]

const resultOf = ({ status }: Verified): DkimResult | undefined => {
  if (status.result === 'none') return undefined
  // RFC 6376 §8.2: what was added behind a signed length is nobody's.
  if (status.result === 'pass' && (status.underSized ?? 0) > 0) return 'policy'
  return isDkimResult(status.result) ? status.result : 'neutral'
}
