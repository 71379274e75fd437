import { X509Certificate } from 'node:crypto'
import type { SecureContext } from 'node:tls'
import { hostNameOf } from '../core/hostName.ts'
import { contextOf, type ServedPair, type TlsPair } from './serveTls.ts'

/** At least one; the first is for peers that ask for no name, or for one that no certificate is for. */
export type TlsPairs = readonly [TlsPair, ...TlsPair[]]

/**
 * What listeners show: the pair whose certificate is for the name that a peer asks for (RFC 6066 §3), else the first. `pairs`
 * is asked at each handshake; an array that it has given must not be changed.
 */
export const servedByName = (
  pairs: () => TlsPairs,
  authorities: () => readonly string[] = () => nobody,
): (() => ServedPair) => {
  let known: { readonly of: TlsPairs; readonly by: readonly string[]; readonly named: readonly Named[] } | undefined
  const named = () => {
    const [of, by] = [pairs(), authorities()]
    if (known?.of !== of || known.by !== by) known = { of, by, named: of.map((pair) => namedOf(pair, by)) }
    return known.named
  }
  const contextFor = (servername: string): SecureContext | undefined => {
    const name = hostNameOf(servername)
    return name === undefined
      ? undefined
      : named()
          .find(({ isFor }) => isFor(name))
          ?.context()
  }
  // No context: the listener's own, which is the first.
  const SNICallback: ServedPair['SNICallback'] = (servername, done) => done(null, contextFor(servername))
  return () => {
    const [{ key, cert }] = pairs()
    return { key, cert, SNICallback }
  }
}

type Named = { readonly isFor: (name: string) => boolean; readonly context: () => SecureContext }

const nobody: readonly string[] = []

const namedOf = (pair: TlsPair, authorities: readonly string[]): Named => {
  const x509 = new X509Certificate(pair.cert)
  let made: SecureContext | undefined
  return {
    // What peers compare are the alternative names (RFC 9525 §6.3).
    isFor: (name) => x509.checkHost(name, { subject: 'never' }) !== undefined,
    context: () => (made ??= contextOf(pair, authorities)),
  }
}
