import type { AcmeSettings } from '../../config.ts'
import type { Clock, KeyStore, Logger } from '../../core/ports.ts'
import type { Documents } from '../../wire/documents.ts'
import { authorities } from '../authorities.ts'
import { answerChallenges } from './challengeListener.ts'
import { orderCertificate } from './order.ts'
import { keepCertificate, type RenewalParts } from './renewal.ts'
import { accountKey, acmeStore, challengeAnswers } from './store.ts'
import { orderTurns } from './turns.ts'

export type AcmeParts = Pick<RenewalParts, 'names' | 'isShown' | 'show' | 'counted' | 'node'> & {
  readonly settings: AcmeSettings
  readonly keys: KeyStore
  readonly clock: Clock
  readonly logger: Logger
}

export type Acme = {
  /** Where the authority's questions are answered. */
  readonly address: Pick<Documents, 'host' | 'port'>
  close(): Promise<void>
}

/** Answers the authority's questions, and keeps a certificate of it. Rejects with `start-refused`. */
export const startAcme = async ({ settings, keys, ...parts }: AcmeParts): Promise<Acme> => {
  const { directory, email, host, port, caFile } = settings
  const ca = authorities({ setting: 'acme.caFile', file: caFile })
  const answers = challengeAnswers(keys)
  const questions = await answerChallenges(answers, { host, port: port === 'off' ? 0 : port })
  const { names, node, clock } = parts
  const order = async (signal: AbortSignal) =>
    orderCertificate({ directory, accountKey: await accountKey(keys, directory), email, names, ca, answers }, signal)
  const turns = orderTurns({ keys, directory, node, clock })
  const renewal = keepCertificate({ ...parts, certificates: acmeStore(keys, directory), turns, order })
  return {
    address: questions,
    close: async () => {
      await Promise.all([renewal.close(), questions.close()])
    },
  }
}
