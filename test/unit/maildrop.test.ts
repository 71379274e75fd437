import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { newMailboxId, newMessageId, newSessionId } from '../../src/core/ids.ts'
import { triedAtLogin } from '../../src/core/keyring.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Attempt, Login } from '../../src/login.ts'
import { type MaildropEntry, openMaildrops } from '../../src/maildrop.ts'

const mailboxId = newMailboxId()
const nothing = (): never => {
  throw new Error('nothing is retrieved')
}

test('a maildrop has what the password opens, and says apart what another one opens and what nobody can', async () => {
  const asked: Attempt[] = []
  const login: Login = {
    mayTry: () => undefined,
    refuse: () => undefined,
    authenticate: (attempt) => {
      asked.push(attempt)
      const ring = { mailboxId, revision: 0, keyring: { generations: [], recovery: null } }
      return Promise.resolve({ mailboxId, generations: [2], damaged: [1, 4], ring })
    },
  }
  const all = [1, 2, 2, 3, 4, 4].map((generation) => ({ messageId: newMessageId(), generation }) as MaildropEntry)
  const maildrops = openMaildrops({
    storage: { lock: () => undefined, retrieve: nothing },
    lock: { take: () => Promise.resolve({ update: () => Promise.resolve(), release: () => Promise.resolve() }) },
    login,
    mailboxOf: () => mailboxId,
    current: undefined,
    snapshot: () => Promise.resolve(all),
  })
  const connection = { sessionId: newSessionId(), remoteAddress: '192.0.2.1', tls: null }
  const opened = await maildrops.open({ ...connection, user: 'finance', password: new Secret('theirs') })
  assert.equal([opened.entries.length, opened.shut, opened.damaged], [2, 1, 3])
  const [{ proof } = {}] = asked
  assert.is(proof && 'atMost' in proof && proof.atMost, triedAtLogin)
})

test.run()
