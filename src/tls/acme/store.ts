import { createHash, generateKeyPairSync } from 'node:crypto'
import type { KeyStore } from '../../core/ports.ts'
import { pairFiles } from '../pairFiles.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** What belongs to one authority lies apart: its test system gives other certificates than it does itself. */
export const acmePrefix = (directory: string) => `tls/acme-${sha256(directory).slice(0, 16)}/`

/** The certificates that this authority has issued. */
export const acmeStore = (keys: KeyStore, directory: string) => pairFiles(keys, `${acmePrefix(directory)}certificate-`)

/** The key of the account at this authority, PEM; the first to ask makes it. */
export const accountKey = async (keys: KeyStore, directory: string): Promise<string> => {
  const name = `${acmePrefix(directory)}account.pem`
  const found = await keys.get(name)
  if (found) return Buffer.from(found).toString()
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const made = privateKey.export({ type: 'pkcs8', format: 'pem' })
  return (await keys.add(name, Buffer.from(made))) ? made : accountKey(keys, directory)
}

/** Answers to an authority's questions, for every gateway that shares the key store: the authority may ask any of them. */
export const challengeAnswers = (keys: KeyStore) => {
  // A token's letters are of both cases, a key's name is of one.
  const nameOf = (token: string) => `tls/acme-challenges/${sha256(token)}`
  return {
    put: (token: string, answer: string) => keys.put(nameOf(token), Buffer.from(answer)),
    get: async (token: string) => {
      const found = await keys.get(nameOf(token))
      return found && Buffer.from(found).toString()
    },
    remove: (token: string) => keys.remove(nameOf(token)),
  }
}

export type ChallengeAnswers = ReturnType<typeof challengeAnswers>
