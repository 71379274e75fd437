import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { judgeSignatures, judgeSpf, type Resolve } from '../../src/senderChecks/judge.ts'
import { signedHeader } from '../../src/senderChecks/signedHeader.ts'
import { bufferOf, eitherOf, joined, piecesOf, type Segmented, segmented, sentence, spoilt, wordOf } from './octets.ts'
import { target } from './target.ts'

type Checked = Segmented & {
  /** What the DNS says of every name, by turns. */
  readonly records: readonly string[]
  readonly reversePath: string
}

const tag = sentence(
  '$=$; ',
  wordOf('v', 'a', 'b', 'bh', 'c', 'd', 'h', 'i', 'l', 'q', 's', 't', 'x', 'z', ''),
  wordOf(
    '1',
    'rsa-sha256',
    'ed25519-sha256',
    'simple/relaxed',
    'example.com',
    'from:to',
    '@example.com',
    '0',
    '99999999999',
    'AAAA',
    '',
  ),
)
const signature = sentence('DKIM-Signature: $\r\n', joined(tag, 12))
const usual =
  'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=key;\r\n h=from; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n'
const header = wordOf(
  'From: a@example.com\r\n',
  'Subject: x\r\n folded\r\n',
  ' \t\r\n',
  'dkim-signature\r\n:x\r\n',
  '\r\n',
  '\n',
  ':',
  'x'.repeat(900),
)
const message = joined(fc.oneof(signature, fc.constant(usual), header), 8)
const record = spoilt(
  wordOf(
    ...[
      'v=spf1 -all',
      'v=spf1 include:example.com ~all',
      'v=spf1 redirect=example.com',
      'v=spf1 a mx ptr exists:%{ir}.%{v}.x ?all',
    ],
    ...[
      'v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 all',
      'v=DKIM1; k=rsa; p=',
      'v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=',
    ],
    ...['v=spf1 %{s1r-}%{d999}.%{h} exp=x', '10 mail.example.com', ''],
  ),
)

const spfResults = ['pass', 'fail', 'softfail', 'neutral', 'none', 'temperror', 'permerror']
const dkimResults = ['pass', 'fail', 'policy', 'neutral', 'temperror', 'permerror']

const resolving = (records: readonly string[]): Resolve => {
  let asked = 0
  return (_name, type) => {
    const text = records[asked++ % records.length]
    // As the gateway's own: so many questions and no more.
    if (text === undefined || asked > 120) return Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' }))
    return Promise.resolve(type === 'TXT' ? [[text]] : [text])
  }
}

const headerSaid = (input: Segmented) => {
  const said = signedHeader()
  for (const piece of piecesOf(input)) {
    const found = said.push(bufferOf(piece))
    if (found) return found
  }
  return said.end()
}

/** The verifier gets to see what the gateway lets it see. */
const signaturesSaid = async (input: Checked) => {
  const said = headerSaid(input)
  if (said !== 'signed') return said === 'unsigned' ? [] : ['policy']
  const signatures = judgeSignatures(resolving(input.records))
  for (const piece of piecesOf(input)) {
    const early = await signatures.take(bufferOf(piece))
    if (early) return early
  }
  return signatures.end()
}

/** What strangers write into a message's header and into the DNS: it costs a result, and a bounded time. */
export const senderChecks = target<Checked>((corpus) => ({
  inputs: fc
    .record({
      said: segmented(
        spoilt(
          eitherOf(
            corpus.map(({ octets }) => octets),
            message,
          ),
        ),
      ),
      records: fc.array(record, { maxLength: 4 }),
      reversePath: wordOf('anna@example.com', '', '"a b"@example.com', 'x@[192.0.2.1]', 'x'),
    })
    .map(({ said, ...rest }) => ({ ...said, ...rest })),
  costs: 600,
  check: async (input) => {
    assert.is(headerSaid(input), headerSaid({ ...input, cuts: [] }))
    const found = await signaturesSaid(input)
    assert.ok(found.every((one) => dkimResults.includes(one)))
    // Nobody has signed anything here.
    assert.not.ok(found.includes('pass'))
    assert.equal(await signaturesSaid({ ...input, cuts: [] }), found)
    const peer = { remoteAddress: '198.51.100.7', helloName: 'client.example', reversePath: input.reversePath }
    assert.ok(spfResults.includes(await judgeSpf(peer, resolving(input.records), 2000)))
  },
}))
