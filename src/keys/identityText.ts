import { type Identity, parseIdentity } from '../seal/x25519.ts'

/** An identity file as `age-keygen` writes it, so that `age -d -i` takes what `age -d` of the wrapped one gives. */
export const identityText = (identity: string, recipient: string) =>
  Buffer.from(`# public key: ${recipient}\n${identity}\n`)

/** Its identities; throws `identity-malformed` for what is none, with nothing of the text in it. */
export const parseIdentityText = (text: Uint8Array | string): readonly Identity[] =>
  Buffer.from(text)
    .toString()
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(parseIdentity)
