import { setTimeout as delay } from 'node:timers/promises'
import type { Authorization, Client, Order } from 'acme-client'
import { servableOf } from '../certificate.ts'
import type { ChallengeAnswers } from './store.ts'
import { transport } from './transport.ts'

export type OrderParts = {
  readonly directory: string
  /** PEM. */
  readonly accountKey: string
  readonly email: string | undefined
  readonly names: readonly string[]
  /** Certificates (PEM) that vouch for the authority's server. */
  readonly ca: readonly string[]
  readonly answers: Pick<ChallengeAnswers, 'put' | 'remove'>
}

export type Ordered = { readonly key: string; readonly cert: string }

/** Milliseconds between two looks at what the authority is still at, and for all of an order. */
const lookEvery = 1_000
const patience = 5 * 60_000

/**
 * Orders a certificate for the names (RFC 8555 §7.4), with a key of its own; the account is made if there is none, and its
 * holder has agreed to the terms. Rejects with what the authority says, or with what kept it from being asked.
 */
export const orderCertificate = async (parts: OrderParts, stop: AbortSignal): Promise<Ordered> => {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(patience)])
  // Loaded only now: an order comes once in weeks.
  const acme = (await import('acme-client')).default
  acme.axios.defaults.adapter = transport({ ca: parts.ca, signal })
  const client = new acme.Client({ directoryUrl: parts.directory, accountKey: parts.accountKey })
  await openAccount(client, parts.email)
  const order = await client.createOrder({ identifiers: parts.names.map((value) => ({ type: 'dns', value })) })
  await proveNames(client, order, parts.answers, signal)
  const key = await acme.crypto.createPrivateEcdsaKey('P-256')
  const [, csr] = await acme.crypto.createCsr({ altNames: [...parts.names] }, key)
  const ready = await until(() => client.getOrder(order), isNotOneOf('pending', 'processing'), signal)
  if (ready.status !== 'ready') throw new Error(`the order is ${ready.status}`)
  await client.finalizeOrder(ready, csr)
  const issued = await until(() => client.getOrder(order), isNotOneOf('ready', 'processing'), signal)
  if (issued.status !== 'valid') throw new Error(`the order is ${issued.status}`)
  const ordered = { key: key.toString(), cert: await client.getCertificate(issued) }
  if (!servableOf(ordered)) throw new Error('the authority has sent a certificate of another key')
  return ordered
}

/** The account of the key (RFC 8555 §7.3), made if there is none. */
const openAccount = async (client: Client, email: string | undefined) => {
  const agreed = { termsOfServiceAgreed: true }
  if (email !== undefined) {
    await client.createAccount({ ...agreed, contact: [`mailto:${email}`] })
    return
  }
  // The library updates an account that it finds, and servers refuse an update that says nothing.
  await client.createAccount({ onlyReturnExisting: true }).catch(() => client.createAccount(agreed))
}

/** Shows that the names are this gateway's: the authority looks for an answer at each of them. */
const proveNames = async (client: Client, order: Order, answers: OrderParts['answers'], signal: AbortSignal) => {
  const shown: string[] = []
  try {
    for (const authorization of await client.getAuthorizations(order)) {
      if (authorization.status === 'valid') continue
      const challenge = authorization.challenges.find(({ type }) => type === 'http-01')
      if (!challenge) throw new Error(`the authority does not ask for ${authorization.identifier.value} over HTTP`)
      shown.push(challenge.token)
      await answers.put(challenge.token, await client.getChallengeKeyAuthorization(challenge))
      await client.completeChallenge(challenge)
    }
    const proven = await until(
      () => client.getAuthorizations(order),
      (all) => !all.some(({ status }) => status === 'pending') || all.some(isRefused),
      signal,
    )
    const refused = proven.find(isRefused)
    if (refused) throw new Error(refusalOf(refused))
  } finally {
    await Promise.allSettled(shown.map((token) => answers.remove(token)))
  }
}

const isRefused = ({ status }: Authorization) => status !== 'pending' && status !== 'valid'

/** RFC 8555 §8: the failed challenge has the authority's reason. */
const refusalOf = ({ identifier, challenges }: Authorization) => {
  const { detail } = (challenges.find(({ status }) => status === 'invalid')?.error ?? {}) as { detail?: string }
  return `${identifier.value} was not proven: ${detail ?? 'the authority does not say why'}`
}

const isNotOneOf =
  (...states: readonly string[]) =>
  ({ status }: Order) =>
    !states.includes(status)

const until = async <T>(look: () => Promise<T>, isEnough: (found: T) => boolean, signal: AbortSignal): Promise<T> => {
  for (;;) {
    const found = await look()
    if (isEnough(found)) return found
    await delay(lookEvery, undefined, { signal })
  }
}
