/** What a peer can be asked to show before its mail is taken. A certificate and a token are shown under TLS only. */
export const requirements = ['tls', 'certificate', 'token'] as const
export type Requirement = (typeof requirements)[number]

/** How it is refused who does not: so that he keeps the mail and tries again, or for good. */
export const refusals = ['temporary', 'permanent'] as const
export type Refusal = (typeof refusals)[number]

/** From whom mail is taken: by a listener for all mailboxes, or for one mailbox. */
export type SenderPolicy = {
  /** Address ranges, as `parseNetwork` writes them; empty: every address. */
  readonly networks: readonly string[]
  readonly requires: readonly Requirement[]
  /** Host names of which the client certificate must be for one; empty: any certificate that the authorities vouch for. */
  readonly certificateNames: readonly string[]
  readonly refusal: Refusal
}

export const anySender: SenderPolicy = { networks: [], requires: [], certificateNames: [], refusal: 'temporary' }

/** What is asked for, in the order in which it is looked at. */
export const proofs = ['network', ...requirements] as const
export type Proof = (typeof proofs)[number]

/** A policy without what it compares with: no address and no name. */
export type Demand = { readonly asks: readonly Proof[]; readonly refusal: Refusal }

/** What a policy asks for; undefined when that is nothing. */
export const demandOf = ({ networks, requires, certificateNames, refusal }: SenderPolicy): Demand | undefined => {
  const asked = new Set<Proof>(requires)
  if (networks.length > 0) asked.add('network')
  if (certificateNames.length > 0) asked.add('certificate')
  if (asked.has('certificate') || asked.has('token')) asked.add('tls')
  return asked.size === 0 ? undefined : { asks: proofs.filter((proof) => asked.has(proof)), refusal }
}
