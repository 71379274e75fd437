import type { KeyStore } from '../core/ports.ts'
import { type Certificate, servableOf } from './certificate.ts'

type Pair = { readonly key: string; readonly cert: string }

/**
 * Certificates in the key store, each with its key, PEM, in one file, so that a pair is whole; the newest has the highest
 * number. Gateways that share the key store agree on one.
 */
export const pairFiles = (keys: KeyStore, prefix: string) => {
  const nameOf = (number: number) => `${prefix}${number}.pem`
  const numberOf = (name: string) => Number(/^\d{1,9}(?=\.pem$)/.exec(name.slice(prefix.length))?.[0] ?? 0)
  return {
    /** 0 when there is none; no certificate when the newest is damaged. */
    newest: async () => {
      const number = Math.max(0, ...(await keys.list(prefix)).map(numberOf))
      return { number, certificate: understood(pairIn(utf8(await keys.get(nameOf(number))))) }
    },
    /** Whether it was written: another gateway may have been first with this number. */
    add: (number: number, { key, cert }: Pair) => keys.add(nameOf(number), Buffer.from(key + cert)),
    /** Nobody shows what is older than this. */
    removeBefore: async (number: number) => {
      for (const name of await keys.list(prefix))
        if (numberOf(name) > 0 && numberOf(name) < number) await keys.remove(name)
    },
  }
}

export type PairFiles = ReturnType<typeof pairFiles>

const pairIn = (text: string) => {
  const at = text.indexOf('-----BEGIN CERTIFICATE-----')
  return { key: text.slice(0, Math.max(0, at)), cert: text.slice(at) }
}

const utf8 = (value: Uint8Array | undefined) => Buffer.from(value ?? []).toString('utf8')

const understood = (pair: Pair): Certificate | undefined => {
  try {
    return servableOf(pair)
  } catch {
    // Missing or damaged files are no certificate.
    return undefined
  }
}
