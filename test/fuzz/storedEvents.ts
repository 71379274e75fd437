import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { isEventType } from '../../src/core/eventFilter.ts'
import { eventVersions } from '../../src/core/events.ts'
import { transcriptDigest } from '../../src/core/transcriptDigest.ts'
import { UnreadableEvent } from '../../src/core/unreadableEvent.ts'
import { readable } from '../../src/log/readable.ts'
import { judge } from '../../src/replaySession.ts'
import { eitherOf, spoilt, wordOf } from './octets.ts'
import { target } from './target.ts'

type Stored =
  | { readonly is: 'event'; readonly type: string; readonly data: string; readonly metadata: string }
  | { readonly is: 'transcript'; readonly sessionId: string; readonly transcript: string; readonly outcome: string }

const vectors = join(import.meta.dirname, '../vectors')
const filesIn = (folder: string) =>
  readdirSync(join(vectors, folder)).map((name): unknown =>
    JSON.parse(readFileSync(join(vectors, folder, name), 'utf8')),
  )

type Vector = { readonly type: string; readonly data: unknown; readonly metadata: { readonly version: number } }
const events = filesIn('events') as readonly Vector[]
type Kept = { readonly sessionId: string; readonly transcript: string; readonly outcome: string }
const transcripts = (filesIn('transcripts') as readonly (readonly Kept[])[]).flat()
const types = events.map(({ type }) => type)

const event = fc.constantFrom(...events).chain(({ type, data, metadata }) =>
  fc.record({
    is: fc.constant('event' as const),
    type: fc.oneof(
      { weight: 5, arbitrary: fc.constant(type) },
      { weight: 1, arbitrary: wordOf(...types, 'toString', '__proto__') },
    ),
    data: spoilt(eitherOf(['null', '[]', '1', ''], fc.constant(JSON.stringify(data)))),
    metadata: spoilt(
      eitherOf(['null', '{"version":1}', '{"version":99}', '{"version":"1"}'], fc.constant(JSON.stringify(metadata))),
    ),
  }),
)
const transcript = fc.constantFrom(...transcripts).chain(({ sessionId, transcript, outcome }) =>
  fc.record({
    is: fc.constant('transcript' as const),
    sessionId: fc.constant(sessionId),
    transcript: spoilt(fc.constant(transcript)),
    outcome: fc.oneof(fc.constant(outcome), fc.constantFrom('lost', 'quit', 'refused')),
  }),
)

const checkEvent = ({ type, data, metadata }: Extract<Stored, { is: 'event' }>) => {
  const place = {
    position: 1,
    stream: 'gateway-x',
    revision: 0,
    id: 'x',
    recordedAt: new Date(0).toISOString(),
  } as const
  try {
    const event = readable({ ...place, id: place.id as never, type, data, metadata })
    assert.ok(isEventType(type) && event.type === type)
    assert.is(event.metadata.version, eventVersions[type])
  } catch (error) {
    if (!(error instanceof UnreadableEvent)) throw error
    assert.is(error.event.type, type)
  }
}

/** A forger who knows how the digest is made: what he has written is judged, and nothing of it is believed unread. */
const checkTranscript = ({ sessionId, transcript, outcome }: Extract<Stored, { is: 'transcript' }>) => {
  const closed = { outcome: outcome as never, octetsIn: 0, octetsOut: 0, transcript }
  const { verdict, because, steps } = judge(sessionId, { ...closed, transcriptSha256: transcriptDigest(transcript) })
  assert.ok(because.length > 0)
  if (transcripts.some((kept) => kept.transcript === transcript && kept.outcome === outcome))
    assert.ok(verdict === 'consistent' || verdict === 'not-comparable')
  if (verdict === 'consistent') assert.ok(steps.length > 0)
}

/** What lies in a log that somebody else may have written. */
export const storedEvents = target<Stored>((corpus) => ({
  inputs: fc.oneof(
    { weight: 9, arbitrary: event },
    { weight: 9, arbitrary: transcript },
    { weight: 1, arbitrary: fc.constantFrom(...corpus) },
  ),
  costs: 100,
  check: (input) => (input.is === 'event' ? checkEvent(input) : checkTranscript(input)),
}))
