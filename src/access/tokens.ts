import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Role, Who } from '../core/access.ts'
import { GatewayError } from '../core/errors.ts'
import type { Cause, EventData } from '../core/events.ts'
import type { MailboxId } from '../core/ids.ts'
import type { Logger } from '../core/ports.ts'
import { Secret } from '../core/secret.ts'
import { tokenStream } from '../core/streams.ts'
import { type AccessParts, appendChange, appendWithKey, keyIn } from './accessParts.ts'
import { lastUses } from './lastUses.ts'
import { validLabel } from './typed.ts'

/** What programs show. It is shown once, when it is issued; only its digest is kept. */
export type Token = {
  readonly tokenId: string
  readonly name: string | null
  readonly role: Role
  /** Null: every mailbox. */
  readonly mailboxes: readonly MailboxId[] | null
  readonly issuedAt: Date
  readonly expires: Date | undefined
}

export type TokenUse = Token & { readonly lastUsed: Date | undefined }

export type TokenRequest = {
  readonly name: string | undefined
  readonly role: Role
  readonly mailboxes: readonly MailboxId[] | null
  /** Seconds from now; none: never. */
  readonly expiresAfter: number | undefined
}

export type Tokens = {
  issue(request: TokenRequest, cause: Cause): Promise<Token & { readonly secret: Secret }>
  /** Those that work or have expired, the oldest first; not the revoked ones. */
  list(): Promise<readonly TokenUse[]>
  /** Rejects with `token-unknown`. */
  revoke(tokenId: string, cause: Cause): Promise<void>
  /** Who shows it; undefined when it is none that works. A revocation elsewhere is known within `knownFor`. */
  whoHas(text: string): Promise<Who | undefined>
  /** The same, and is no use of it. */
  stillHas(text: string): Promise<Who | undefined>
}

export type TokensParts = AccessParts & { readonly logger: Logger }

const directory = 'tokens/'
const idPattern = /^tok-[0-9a-f]{16}$/
const keyOf = (tokenId: string) => `${directory}${tokenId}.json`

/** `sealpost_`, the id's digits, 256 random bits: programs that look for secrets in the wrong places know it by its beginning. */
const form = /^sealpost_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/
const digestOf = (text: string) => createHash('sha256').update(text).digest()

/** Milliseconds for which what the log says of a token is not asked again. */
const knownFor = 5000
/** Tokens remembered at once. */
const capacity = 1000

type Known = { readonly token: Token; readonly digest: Buffer }
type Looked = { readonly known: Known | undefined; readonly at: number }

export const createTokens = (parts: TokensParts): Tokens => {
  const { log, keys, clock } = parts
  const looked = new Map<string, Looked>()
  const uses = lastUses(parts, directory)
  const now = () => clock.now().getTime()

  const tokenOf = async (tokenId: string): Promise<Token | undefined> => {
    const [issued, revoked] = await log.readStream(tokenStream(tokenId), 0, 2)
    if (issued?.type !== 'TokenIssued' || revoked) return undefined
    return { ...tokenIn(issued.data), issuedAt: new Date(issued.metadata.at) }
  }
  const look = async (tokenId: string): Promise<Known | undefined> => {
    const digest = (await keyIn(parts, keyOf(tokenId)))?.['sha256']
    const token = typeof digest === 'string' ? await tokenOf(tokenId) : undefined
    return token && { token, digest: Buffer.from(String(digest), 'hex') }
  }
  const knownAs = async (tokenId: string): Promise<Known | undefined> => {
    const last = looked.get(tokenId)
    if (last && now() - last.at < knownFor) return last.known
    const known = await look(tokenId)
    looked.delete(tokenId)
    // One that is none is not remembered: whoever makes ids up must not push others out.
    if (known) looked.set(tokenId, { known, at: now() })
    for (const oldest of looked.keys()) if (looked.size > capacity) looked.delete(oldest)
    return known
  }

  const holding = async (text: string): Promise<Token | undefined> => {
    const [, digits] = form.exec(text) ?? []
    if (digits === undefined) return undefined
    const known = await knownAs(`tok-${digits}`)
    if (!known || !timingSafeEqual(known.digest, digestOf(text))) return undefined
    const { expires } = known.token
    return expires && expires.getTime() <= now() ? undefined : known.token
  }

  return {
    issue: async ({ name, role, mailboxes, expiresAfter }, cause) => {
      const digits = randomBytes(8).toString('hex')
      const tokenId = `tok-${digits}`
      const secret = `sealpost_${digits}_${randomBytes(32).toString('base64url')}`
      const key = { name: keyOf(tokenId), value: { sha256: digestOf(secret).toString('hex') } }
      const expires = expiresAfter === undefined ? undefined : new Date(now() + expiresAfter * 1000)
      const about = { tokenId, name: validLabel(name), role, mailboxes }
      const data = { ...about, expires: expires?.toISOString() ?? null }
      const stream = tokenStream(tokenId)
      await appendWithKey(parts, key, { stream, next: 0, fact: { type: 'TokenIssued', data }, cause })
      return { ...about, expires, issuedAt: clock.now(), secret: new Secret(secret) }
    },
    list: async () => {
      const names = (await keys.list(directory)).map((name) => name.slice(directory.length))
      const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length))
      const tokens = (await Promise.all(ids.map(tokenOf))).filter((one) => one !== undefined)
      const used = await Promise.all(
        tokens.map(async (token) => ({ ...token, lastUsed: await uses.lastOf(token.tokenId) })),
      )
      return used.toSorted((a, b) => a.issuedAt.getTime() - b.issuedAt.getTime())
    },
    revoke: async (tokenId, cause) => {
      const token = idPattern.test(tokenId) ? await tokenOf(tokenId) : undefined
      if (!token) throw new GatewayError('token-unknown')
      const fact = { type: 'TokenRevoked', data: { tokenId } } as const
      await appendChange(parts, { stream: tokenStream(tokenId), next: 1, fact, cause })
      looked.delete(tokenId)
      await keys.remove(keyOf(tokenId)).catch(() => undefined)
      await uses.forget(tokenId)
    },
    whoHas: async (text) => {
      const token = await holding(text)
      if (token) uses.used(token.tokenId)
      return token && whoIs(token)
    },
    stillHas: async (text) => {
      const token = await holding(text)
      return token && whoIs(token)
    },
  }
}

const whoIs = ({ tokenId, role, mailboxes }: Token): Who => ({
  principal: `token:${tokenId}`,
  role,
  scope: mailboxes ? new Set(mailboxes) : undefined,
  mustChangePassword: false,
})

const tokenIn = ({ tokenId, name, role, mailboxes, expires }: EventData['TokenIssued']) => ({
  tokenId,
  name,
  role,
  mailboxes,
  expires: expires === null ? undefined : new Date(expires),
})
