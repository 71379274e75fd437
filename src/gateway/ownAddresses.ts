import { networkInterfaces } from 'node:os'

/** The addresses of this machine's interfaces now. */
export const ownAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap((interfaces) => (interfaces ?? []).map(({ address }) => address))
