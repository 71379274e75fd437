import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { isCorrelation, isPosition, isPrincipal, isStreamName, timeOf } from '../../src/core/eventFilter.ts'
import { cursorsUnder } from '../../src/http/cursors.ts'
import { storePositionOf } from '../../src/log/eventStoreDbPosition.ts'
import { numberOf } from '../../src/log/storedEvent.ts'
import { anyMutations, eitherOf, mutated, type Mutation, spoilt, wordOf } from './octets.ts'
import { target } from './target.ts'

type Asked = { readonly place: string; readonly list: readonly string[]; readonly mutations: readonly Mutation[] }

const cursors = cursorsUnder(Buffer.alloc(32, 7))
const list = fc.array(wordOf('messages', 'mbx-1', '', '"', '[', 'a,b'), { maxLength: 3 })
const digits = wordOf('0000000000000042', '0000000000000000042-0000000000000000042', '42', '')
const times = wordOf(
  '2026-02-30',
  '2026-03-01T10:00:00Z',
  '2026-03-01T10:00:00.123456789+14:00',
  '+275760-09-13',
  '2026-13-01',
)
const streams = wordOf(
  `mailbox-mbx-${'1'.repeat(32)}`,
  'alias-x',
  'session-',
  'peer:192.0.2.1',
  'administrator:anna',
  'system',
)

const refusal = (action: () => unknown) => {
  try {
    action()
  } catch (error) {
    assert.ok(error instanceof GatewayError && error.code === 'request-invalid')
    return true
  }
  return false
}

const checkWords = (text: string) => {
  if (isPosition(text)) for (const read of [numberOf, storePositionOf]) refusal(() => read(text))
  const time = timeOf(text)
  if (time) assert.ok(!Number.isNaN(time.getTime()) && time.toISOString().length === 24)
  for (const is of [isStreamName, isPrincipal, isCorrelation]) if (is(text)) assert.match(text, /^[\x21-\x7e]+$/)
}

/** Where a page begins, as somebody says it: what no page has given is refused. */
export const pageCursors = target<Asked>((corpus) => ({
  inputs: fc.record({
    place: spoilt(
      eitherOf(
        corpus.map(({ place }) => place),
        digits,
        times,
        streams,
      ),
    ),
    list,
    mutations: anyMutations,
  }),
  costs: 20,
  check: ({ place, list, mutations }) => {
    checkWords(place)
    const given = cursors.give(place, list)
    assert.is(cursors.take(given, list), Buffer.from(place).toString())
    assert.ok(refusal(() => cursors.take(given, [...list, ''])))
    const changed = mutations.reduce(mutated, given)
    // What base64 does not count is no change.
    const same = Buffer.from(changed, 'base64url').equals(Buffer.from(given, 'base64url'))
    assert.is(
      refusal(() => cursors.take(changed, list)),
      !same,
    )
    refusal(() => cursors.take(place, list))
  },
}))
