import { type Documents, serveDocuments } from '../../wire/documents.ts'
import type { ChallengeAnswers } from './store.ts'

// RFC 8555 §8.3: at least 128 bits, base64url.
const question = /^\/\.well-known\/acme-challenge\/([A-Za-z0-9_-]{22,200})$/

/** Answers an authority's questions (HTTP-01), and nothing else. Rejects with `start-refused`. */
export const answerChallenges = (
  answers: Pick<ChallengeAnswers, 'get'>,
  at: { readonly host: string; readonly port: number },
): Promise<Documents> =>
  serveDocuments({
    ...at,
    find: (path) => {
      const [, token] = question.exec(path) ?? []
      return token === undefined ? undefined : answers.get(token)
    },
  })
