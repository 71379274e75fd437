import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createArchive } from '../../src/archive.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { origin } from '../../src/core/ids.ts'
import { onlyActive } from '../../src/onlyActive.ts'
import { bodyOf, namesOf, scratchParts } from '../support/scratchParts.ts'

test('a message whose mailbox goes while it comes in is refused with a 4xx, and leaves nothing', async () => {
  const parts = await scratchParts()
  let active = true
  const archive = onlyActive(createArchive(parts), () => {
    if (!active) throw new GatewayError('mailbox-suspended')
  })
  async function* body() {
    yield* bodyOf('the first half')
    active = false
    yield* bodyOf('and the second')
  }
  const refused = await archive.receive(parts.delivery(), body()).catch((error: unknown) => error)
  assert.is((refused as GatewayError).code, 'mailbox-suspended')
  assert.equal(await namesOf(parts.vault.list('')), [])
  assert.equal(await parts.log.readAll(origin, 10), [])
  active = true
  assert.ok((await archive.receive(parts.delivery(), bodyOf('whole'))).size > 0)
  await parts.close()
})

test.run()
