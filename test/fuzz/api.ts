import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { type AnyRequest, anyRequest, mustAnswer } from '../support/anyRequest.ts'
import { checkedApp, operationsOf } from '../support/checkedApp.ts'
import { doubles, mailboxId, token } from '../wire/httpDoubles.ts'
import { target } from './target.ts'

type Asked = { readonly operation: string; readonly request: AnyRequest }

/** What these make is kept, in memory here, and would be taken for memory that grows. */
const making = /^(?:POST|PUT) \/v1\/(?:tokens|administrators|senders|session)\b/
/** Inputs after which they are asked for once in so many times only. */
const [mostAsked, seldom] = [20_000, 50]

/** The API: whatever it is asked, it answers with what its document says, and never 5xx. */
export const api = target<Asked>(async () => {
  const world = doubles()
  const app = await checkedApp(world.api)
  world.mailboxExists(mailboxId, 'Finance', ['finance@archive.example.com'])
  const request = anyRequest(mailboxId, world.messageExists())
  // A stream without an end is no answer.
  const operations = new Map(
    operationsOf(app)
      .filter(({ path }) => path !== '/v1/live')
      .map((one) => [`${one.method} ${one.path}`, one]),
  )
  let [tried, made] = [0, 0]
  return {
    inputs: fc.record({ operation: fc.constantFrom(...operations.keys()), request }),
    costs: 500,
    check: async ({ operation, request }) => {
      tried += 1
      if (making.test(operation) && tried > mostAsked && made++ % seldom > 0) return
      const asked = operations.get(operation)
      assert.ok(asked, operation)
      for (const noted of [world.calls, world.said, world.audited]) noted.length = 0
      await mustAnswer(app, asked, { request, token })
    },
    close: async () => {
      await app.close()
      world.close()
    },
  }
})
