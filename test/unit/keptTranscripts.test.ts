import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { pop3Proxy } from '../../actors/pop3Proxy.ts'
import { pop3Session } from '../../actors/pop3Session.ts'
import { readTranscript } from '../../actors/readTranscript.ts'
import { smtpProxy } from '../../actors/smtpProxy.ts'
import { smtpSession } from '../../actors/smtpSession.ts'
import { submissionSession } from '../../actors/submissionSession.ts'
import { transcriptDigest } from '../../src/core/transcriptDigest.ts'
import { judge } from '../../src/replaySession.ts'
import type { Lived } from '../support/anySession.ts'

const machines = [smtpSession, pop3Session, pop3Proxy, submissionSession, smtpProxy]
const folder = new URL('../vectors/transcripts/', import.meta.url)
const kept = readdirSync(folder).map((name) => ({
  name: name.replace('.json', ''),
  // What `anySession` has lived through, kept when the machine's version was new.
  sessions: JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as readonly Lived[],
}))
const current = machines.map(({ id, version }) => `${id}-${version ?? ''}`)

const verdictOn = ({ sessionId, transcript, outcome }: Lived) => {
  const closed = { outcome, octetsIn: 0, octetsOut: 0, transcript, transcriptSha256: transcriptDigest(transcript) }
  return judge(sessionId, closed)
}

test('transcripts of every current version of a machine are kept', () =>
  assert.equal(
    current.filter((name) => !kept.some((one) => one.name === name)),
    [],
  ))

// When this fails, sessions that are in logs would be called inconsistent: the machine needs a new version.
for (const { name, sessions } of kept)
  test(`the kept transcripts of ${name} are ${current.includes(name) ? 'consistent' : 'not comparable any more'}`, () => {
    assert.ok(sessions.length >= 10)
    for (const session of sessions) {
      const { verdict, because } = verdictOn(session)
      assert.is(verdict, current.includes(name) ? 'consistent' : 'not-comparable', `${because}\n${session.transcript}`)
    }
  })

test('the kept transcripts come through every state of their machines', () => {
  for (const { id, version, root } of machines) {
    const sessions = kept.find(({ name }) => name === `${id}-${version ?? ''}`)?.sessions ?? []
    const seen = new Set(
      sessions.flatMap(({ transcript }) => readTranscript(transcript)?.steps ?? []).map(({ state }) => state),
    )
    assert.equal(
      leavesOf(root).filter((state) => !seen.has(state) && !isPassing(state)),
      [],
      id,
    )
  }
})

/** A state that is left as soon as it is entered. */
const isPassing = (state: string) => state === 'arriving' || state.endsWith('.choosing')

type Node = { readonly path: readonly string[]; readonly states: Readonly<Record<string, Node>> }
const leavesOf = (node: Node): readonly string[] => {
  const inner = Object.values(node.states)
  return inner.length === 0 ? [node.path.join('.')] : inner.flatMap(leavesOf)
}

test.run()
