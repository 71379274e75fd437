import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { MailboxState } from '../../actors/mailbox.ts'
import { type ErrorCode, GatewayError } from '../../src/core/errors.ts'
import { type Fact, stamper } from '../../src/core/events.ts'
import { isMailboxId, type MailboxId, origin, type Position } from '../../src/core/ids.ts'
import type { Append, EventLog } from '../../src/core/ports.ts'
import { Secret } from '../../src/core/secret.ts'
import { memoryLog } from '../../src/log/memory.ts'
import { createMailboxes, type Mailboxes } from '../../src/mailboxes.ts'
import { type Decision, decide, evolve, type MailboxCommand } from '../../src/mailboxes/decide.ts'
import { knownMailboxes } from '../../src/mailboxes/known.ts'
import { viewReader } from '../../projections/projection.ts'
import { projections } from '../../projections/projections.ts'
import { fold } from '../../projections/runner.ts'
import {
  arrived,
  created,
  deleted,
  destroyed,
  held,
  released,
  reserved,
  resumed,
  submitted,
  suspended,
  unheld,
  updated,
} from './projectionsFacts.ts'
import {
  append,
  byTest,
  emptyViews,
  type Given,
  mailboxId,
  messageId,
  recorded,
  steppingClock,
} from './projectionsGiven.ts'

type Deed = string
type World = {
  readonly mailboxes: Mailboxes
  readonly log: EventLog
  /** What was done, in order: identities made, appends by event type, waits for the views. */
  readonly deeds: readonly Deed[]
  /** Types and who they are about, of everything after what was given. */
  readonly facts: () => Promise<readonly Fact[]>
}

type Setting = {
  readonly given?: readonly Given[]
  /** Stands before the log's append: may write first, or throw. */
  readonly beforeAppend?: (append: Append, log: EventLog) => Promise<void>
  readonly visible?: (position: Position) => Promise<void>
}

const world = async ({ given = [], beforeAppend, visible }: Setting = {}): Promise<World> => {
  const log = memoryLog({ clock: steppingClock() })
  await append(log, given)
  const start = await log.head()
  const deeds: Deed[] = []
  const db = emptyViews()
  const watched = {
    ...log,
    append: async (one: Append) => {
      await beforeAppend?.(one, log)
      deeds.push(`append ${one.events.map(({ type }) => type).join()}`)
      return log.append(one)
    },
  }
  const mailboxes = createMailboxes({
    log: watched,
    stamp: stamper('test', () => new Date(0)),
    keys: {
      createIdentity: ({ generation }) => {
        deeds.push(`identity ${generation}`)
        const identity = {
          generation,
          recipient: 'age1made',
          identitySha256: 'ef'.repeat(32),
          recoverySha256: undefined,
        }
        return Promise.resolve({ ...identity, password: new Secret('secret'), written: [] })
      },
    },
    views: {
      visible: async (position) => {
        deeds.push(`visible ${position}`)
        await visible?.(position)
        fold(db, projections, await log.readAll(origin, 10_000))
      },
      allVisible: async () => fold(db, projections, await log.readAll(origin, 10_000)),
      ...knownMailboxes(viewReader(db)),
    },
    domain: 'gateway.example',
  })
  const facts = async () => (await log.readAll(start, 1000)).map(({ type, data }) => ({ type, data }) as Fact)
  return { mailboxes, log, deeds, facts }
}

const codeOf = async (work: Promise<unknown>) => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.instance(error, GatewayError)
  return error as GatewayError
}

const wish = (...aliases: readonly string[]) => ({ name: 'Archive', aliases, cause: byTest })

const of = (n: number, ...ifMatch: readonly number[]) => ({
  mailboxId: mailboxId(n),
  cause: byTest,
  ifMatch: ifMatch.length > 0 ? ifMatch : undefined,
})

// decide and evolve

const data = created(1)[1]?.data as Extract<MailboxCommand, { type: 'create' }>['data']
const create: MailboxCommand = { type: 'create', data }
const suspend: MailboxCommand = { type: 'suspend', data: { mailboxId: mailboxId(1), reason: 'audit' } }
const resume: MailboxCommand = { type: 'resume', data: { mailboxId: mailboxId(1) } }

const decided = async (given: readonly Given[], command: MailboxCommand): Promise<Decision> =>
  decide(command, (await recorded(...given)).reduce(evolve, 'absent'))

test('a command that the mailbox allows becomes its fact', async () => {
  assert.equal(await decided([], create), { facts: [{ type: 'MailboxCreated', data: create.data }] })
  assert.equal(await decided([created(1)], suspend), { facts: [{ type: 'MailboxSuspended', data: suspend.data }] })
  assert.equal(await decided([created(1), suspended(1)], resume), {
    facts: [{ type: 'MailboxResumed', data: resume.data }],
  })
})

test('a mailbox that does not exist is unknown to suspend and to resume', async () => {
  assert.equal(await decided([], suspend), { refusal: 'mailbox-unknown' })
  assert.equal(await decided([], resume), { refusal: 'mailbox-unknown' })
})

test('a mailbox is not created, suspended or resumed twice', async () => {
  assert.equal(await decided([created(1)], create), { refusal: 'mailbox-conflict' })
  assert.equal(await decided([created(1), suspended(1)], suspend), { refusal: 'mailbox-conflict' })
  assert.equal(await decided([created(1), suspended(1), resumed(1)], resume), { refusal: 'mailbox-conflict' })
})

const about = { mailboxId: mailboxId(1), reason: 'lawsuit' }
const hold: MailboxCommand = { type: 'hold', data: about }
const release: MailboxCommand = { type: 'release', data: about }
const rename: MailboxCommand = { type: 'rename', data: { mailboxId: mailboxId(1), name: 'Other' } }

test('a hold is placed and released, on a suspended mailbox too, and not twice', async () => {
  for (const before of [[created(1)], [created(1), suspended(1)]]) {
    assert.equal(await decided(before, hold), { facts: [{ type: 'HoldPlaced', data: about }] })
    assert.equal(await decided([...before, held(1)], release), { facts: [{ type: 'HoldReleased', data: about }] })
    assert.equal(await decided(before, release), { refusal: 'mailbox-conflict' })
    assert.equal(await decided([...before, held(1)], hold), { refusal: 'mailbox-conflict' })
    assert.equal(await decided([...before, held(1), unheld(1)], release), { refusal: 'mailbox-conflict' })
  }
})

test('a mailbox is renamed in every state but before it exists', async () => {
  const fact = { facts: [{ type: 'MailboxRenamed', data: rename.data }] }
  assert.equal(await decided([], rename), { refusal: 'mailbox-unknown' })
  for (const more of [[], [suspended(1)], [held(1)], [suspended(1), held(1)]])
    assert.equal(await decided([created(1), ...more], rename), fact)
})

test('under a hold every destruction is refused for the hold, whatever else forbids it', async () => {
  const remove: MailboxCommand = { type: 'delete', data: { ...about, through: origin } }
  const purge: MailboxCommand = { type: 'purge', data: { mailboxId: mailboxId(1), messageIds: [messageId(1)] } }
  const table: readonly (readonly [readonly Given[], MailboxCommand, ErrorCode | undefined])[] = [
    [[created(1)], purge, undefined],
    [[created(1)], remove, 'mailbox-conflict'],
    [[created(1), held(1)], purge, 'mailbox-held'],
    [[created(1), held(1)], remove, 'mailbox-held'],
    [[created(1), suspended(1)], remove, undefined],
    [[created(1), suspended(1), held(1)], purge, 'mailbox-held'],
    [[created(1), suspended(1), held(1)], remove, 'mailbox-held'],
    [[created(1), suspended(1), held(1), unheld(1)], remove, undefined],
    [[created(1), held(1), unheld(1)], remove, 'mailbox-conflict'],
  ]
  for (const [given, command, refusal] of table) {
    const decision = await decided(given, command)
    assert.is('refusal' in decision ? decision.refusal : undefined, refusal)
  }
})

test('a held mailbox is suspended and resumed, and stays held', async () => {
  assert.equal(await decided([created(1), held(1), suspended(1), resumed(1)], hold), { refusal: 'mailbox-conflict' })
})

test('a stream that tells the impossible is not believed', async () => {
  const events = await recorded(created(1), resumed(1))
  assert.throws(
    () => events.reduce<MailboxState>(evolve, 'absent'),
    (error: unknown) => error instanceof GatewayError && error.code === 'event-unreadable',
  )
})

// create

test('creation makes the identity durable, then reserves the aliases, then creates, then waits to be seen', async () => {
  const { mailboxes, deeds, facts } = await world()
  const made = await mailboxes.create(wish('A@Example.org', 'b@example.org'))
  assert.ok(isMailboxId(made.mailboxId))
  assert.is(made.address, `${made.mailboxId}@gateway.example`)
  assert.is(made.password?.reveal(), 'secret')
  assert.equal(deeds, [
    `visible ${origin}`,
    'identity 1',
    'append AliasReserved',
    'append AliasReserved',
    'append MailboxCreated',
    'visible 0000000000000003',
  ])
  const aliases = ['a@example.org', 'b@example.org']
  assert.equal(await facts(), [
    ...aliases.map((alias) => ({ type: 'AliasReserved', data: { mailboxId: made.mailboxId, alias } })),
    {
      type: 'MailboxCreated',
      data: {
        mailboxId: made.mailboxId,
        name: 'Archive',
        aliases,
        recipient: 'age1made',
        generation: 1,
        identitySha256: 'ef'.repeat(32),
      },
    },
  ])
})

test('an alias that belongs to another mailbox is refused before anything is made', async () => {
  const { mailboxes, deeds, facts } = await world({ given: [reserved('a@example.org', 1), created(1)] })
  const error = await codeOf(mailboxes.create(wish('b@example.org', 'A@example.org')))
  assert.is(error.code, 'alias-taken')
  assert.match(error.message, 'a@example.org')
  assert.equal(await facts(), [])
  assert.not.ok(deeds.includes('identity 1'))
})

test('an alias that was released, or reserved by a mailbox that never came to exist, can be had', async () => {
  const { mailboxes } = await world({
    given: [reserved('a@example.org', 1), created(1), released('a@example.org', 1), reserved('b@example.org', 2)],
  })
  assert.ok((await mailboxes.create(wish('a@example.org', 'b@example.org'))).mailboxId)
})

test('of two creations that want one address at once, one gets it and the other leaves nothing reserved', async () => {
  const { mailboxes, facts } = await world()
  const outcomes = await Promise.allSettled([
    mailboxes.create(wish('own1@example.org', 'shared@example.org')),
    mailboxes.create(wish('own2@example.org', 'shared@example.org')),
  ])
  assert.equal(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  assert.is(((outcomes[1] as PromiseRejectedResult).reason as GatewayError).code, 'alias-taken')
  const held = new Map<string, MailboxId>()
  for (const { type, data } of await facts()) {
    if (type === 'AliasReserved') held.set(data.alias, data.mailboxId)
    if (type === 'AliasReleased') held.delete(data.alias)
  }
  assert.equal([...held.keys()].sort(), ['own1@example.org', 'shared@example.org'])
})

test('an address that another writer takes in the middle of a creation stays that writer’s', async () => {
  let raced = false
  const { mailboxes, facts } = await world({
    beforeAppend: async ({ events }, log) => {
      if (raced || events[0]?.type !== 'AliasReserved' || events[0].data.alias !== 'b@example.org') return
      raced = true
      await append(log, [reserved('b@example.org', 7), created(7)])
    },
  })
  assert.is((await codeOf(mailboxes.create(wish('a@example.org', 'b@example.org')))).code, 'alias-taken')
  const told = (await facts()).map(({ type }) => type)
  assert.equal(told, ['AliasReserved', 'AliasReserved', 'MailboxCreated', 'AliasReleased'])
})

test('a creation that the log refuses gives its aliases back and shows no mailbox', async () => {
  const { mailboxes, facts } = await world({
    beforeAppend: ({ events }) =>
      events[0]?.type === 'MailboxCreated' ? Promise.reject(new GatewayError('storage-full')) : Promise.resolve(),
  })
  assert.is((await codeOf(mailboxes.create(wish('a@example.org')))).code, 'storage-full')
  assert.equal(
    (await facts()).map(({ type }) => type),
    ['AliasReserved', 'AliasReleased'],
  )
})

test('a creation of unknown outcome is asked again as the same command, and happens once', async () => {
  let lost = 2
  const { mailboxes, facts } = await world({
    beforeAppend: async (one, log) => {
      if (one.events[0]?.type !== 'MailboxCreated' || lost-- <= 0) return
      await log.append(one)
      throw new GatewayError('outcome-unknown')
    },
  })
  await mailboxes.create(wish())
  assert.equal(
    (await facts()).map(({ type }) => type),
    ['MailboxCreated'],
  )
})

test('when it stays unknown whether a mailbox exists, its aliases stay reserved', async () => {
  const { mailboxes, facts } = await world({
    beforeAppend: ({ events }) =>
      events[0]?.type === 'MailboxCreated' ? Promise.reject(new GatewayError('outcome-unknown')) : Promise.resolve(),
  })
  assert.is((await codeOf(mailboxes.create(wish('a@example.org')))).code, 'outcome-unknown')
  assert.equal(
    (await facts()).map(({ type }) => type),
    ['AliasReserved'],
  )
})

test('a log that refuses the repeat of a creation that may have happened leaves its aliases reserved', async () => {
  let first = true
  const { mailboxes, facts } = await world({
    beforeAppend: async (one, log) => {
      if (one.events[0]?.type !== 'MailboxCreated') return
      if (first) await log.append(one)
      const failure = new GatewayError(first ? 'outcome-unknown' : 'not-written')
      first = false
      throw failure
    },
  })
  assert.is((await codeOf(mailboxes.create(wish('a@example.org')))).code, 'outcome-unknown')
  assert.equal(
    (await facts()).map(({ type }) => type),
    ['AliasReserved', 'MailboxCreated'],
  )
})

test('nothing is created while the views are not at work', async () => {
  const { mailboxes, facts } = await world({ visible: () => Promise.reject(new GatewayError('storage-failed')) })
  assert.is((await codeOf(mailboxes.create(wish()))).code, 'storage-failed')
  assert.equal(await facts(), [])
})

test('the password of a mailbox that exists is handed over even if the views stop just then', async () => {
  const { mailboxes } = await world({
    visible: (position) =>
      position === origin ? Promise.resolve() : Promise.reject(new GatewayError('storage-failed')),
  })
  assert.is((await mailboxes.create(wish())).password?.reveal(), 'secret')
})

const badNames = {
  empty: '',
  blank: '   ',
  long: 'x'.repeat(201),
  control: 'a\u0007b',
  line: 'a\nb',
  turned: 'a\u202Eb',
}
for (const [kind, name] of Object.entries(badNames)) {
  test(`a name that is bad (${kind}) is refused, and the field named`, async () => {
    const { mailboxes, deeds } = await world()
    const error = await codeOf(mailboxes.create({ ...wish(), name }))
    assert.is(error.code, 'request-invalid')
    assert.match(error.message, /^name /)
    assert.equal(deeds, [])
  })
}

test('a name of 200 characters beyond the basic plane is accepted', async () => {
  const { mailboxes } = await world()
  assert.ok(await mailboxes.create({ ...wish(), name: '📬'.repeat(200) }))
})

const badAliases = {
  'no address': ['nobody'],
  'a percent sign': ['a%b@example.org'],
  'a mailbox id': [`${mailboxId(1)}@example.org`],
  'a mailbox id in capitals and quotes': [`"${mailboxId(1).toUpperCase()}"@example.org`],
  'the same twice': ['a@example.org', 'A@EXAMPLE.org'],
  'too many': Array.from({ length: 101 }, (_, n) => `a${n}@example.org`),
}
for (const [kind, aliases] of Object.entries(badAliases)) {
  test(`aliases that are bad (${kind}) are refused, and the field named`, async () => {
    const { mailboxes, deeds } = await world()
    const error = await codeOf(mailboxes.create(wish(...aliases)))
    assert.is(error.code, 'request-invalid')
    assert.match(error.message, /^aliases /)
    assert.equal(deeds, [])
  })
}

// limits of the proxy

test('limits are in the log in their one form, for a suspended mailbox too', async () => {
  const { mailboxes, facts } = await world({ given: [created(1), suspended(1)] })
  const targets = ['POP.Example.net:995', '*.example.org', '*']
  await mailboxes.limitProxy(of(1), { targets, networks: ['2001:DB8:0::/32', '192.0.2.7'] })
  const limits = { targets: ['pop.example.net:995', '*.example.org', '*'], networks: ['2001:db8::/32', '192.0.2.7/32'] }
  assert.equal(await facts(), [{ type: 'MailboxProxyLimited', data: { mailboxId: mailboxId(1), ...limits } }])
})

test('limits that are none write nothing', async () => {
  const { mailboxes, facts } = await world({ given: [created(1)] })
  for (const limits of [
    { targets: ['a b'], networks: [] },
    { targets: ['pop.example.net:0'], networks: [] },
    { targets: [], networks: ['10.0.0.0/33'] },
    { targets: [], networks: ['example.net'] },
    { targets: Array<string>(101).fill('*'), networks: [] },
  ])
    assert.is((await codeOf(mailboxes.limitProxy(of(1), limits))).code, 'request-invalid')
  const unknown = mailboxes.limitProxy(of(2), { targets: [], networks: [] })
  assert.is((await codeOf(unknown)).code, 'mailbox-unknown')
  assert.equal(await facts(), [])
})

// sender policy

const anybody = { networks: [], requires: [], certificateNames: [], refusal: 'temporary' } as const

test('a sender policy is in the log in its one form, in place of the one before', async () => {
  const { mailboxes, facts } = await world({ given: [created(1), suspended(1)] })
  const typed = { networks: ['2001:DB8:0::/32'], requires: ['token', 'tls'], certificateNames: ['MAIL.Example.com'] }
  await mailboxes.setSenderPolicy(of(1), { ...typed, requires: ['token', 'tls', 'tls'], refusal: 'permanent' })
  await mailboxes.setSenderPolicy(of(1), anybody)
  const kept = { networks: ['2001:db8::/32'], requires: ['tls', 'token'], certificateNames: ['mail.example.com'] }
  assert.equal(await facts(), [
    { type: 'MailboxSenderPolicySet', data: { mailboxId: mailboxId(1), ...kept, refusal: 'permanent' } },
    { type: 'MailboxSenderPolicySet', data: { mailboxId: mailboxId(1), ...anybody } },
  ])
})

test('a sender policy that is none writes nothing, and a deleted mailbox takes none', async () => {
  const { mailboxes, facts } = await world({ given: [created(1), created(3), suspended(3), deleted(3)] })
  for (const wrong of [
    { networks: ['10.0.0.0/33'] },
    { certificateNames: ['*.example.com'] },
    { certificateNames: ['192.0.2.7'] },
    { certificateNames: Array<string>(101).fill('mail.example.com') },
  ])
    assert.is((await codeOf(mailboxes.setSenderPolicy(of(1), { ...anybody, ...wrong }))).code, 'request-invalid')
  assert.is((await codeOf(mailboxes.setSenderPolicy(of(2), anybody))).code, 'mailbox-unknown')
  assert.is((await codeOf(mailboxes.setSenderPolicy(of(3), anybody))).code, 'mailbox-conflict')
  assert.equal(await facts(), [])
})

// suspend and resume

test('a suspension is in the log with its reason, and seen before it is answered', async () => {
  const { mailboxes, deeds, facts } = await world({ given: [created(1)] })
  await mailboxes.suspend(of(1), 'audit')
  assert.equal(await facts(), [{ type: 'MailboxSuspended', data: { mailboxId: mailboxId(1), reason: 'audit' } }])
  assert.equal(deeds, ['append MailboxSuspended', 'visible 0000000000000002'])
})

test('a mailbox goes through suspension and back', async () => {
  const { mailboxes, facts } = await world({ given: [created(1)] })
  await mailboxes.suspend(of(1), 'audit')
  await mailboxes.resume(of(1))
  assert.equal(
    (await facts()).map(({ type }) => type),
    ['MailboxSuspended', 'MailboxResumed'],
  )
})

test('a refused suspension writes nothing', async () => {
  const { mailboxes, facts } = await world({ given: [created(1), suspended(1)] })
  assert.is((await codeOf(mailboxes.suspend(of(1), 'audit'))).code, 'mailbox-conflict')
  assert.is((await codeOf(mailboxes.suspend(of(2), 'audit'))).code, 'mailbox-unknown')
  assert.is((await codeOf(mailboxes.resume(of(2)))).code, 'mailbox-unknown')
  assert.is((await codeOf(mailboxes.suspend(of(1), ''))).code, 'request-invalid')
  assert.equal(await facts(), [])
})

test('whoever loses a race decides again on what the winner left', async () => {
  let races = 1
  const { mailboxes } = await world({
    given: [created(1)],
    beforeAppend: async (_, log) => {
      if (races-- > 0) await append(log, [suspended(1)])
    },
  })
  assert.is((await codeOf(mailboxes.suspend(of(1), 'audit'))).code, 'mailbox-conflict')
})

test('a race that is lost again and again ends with a conflict', async () => {
  let tries = 0
  const { mailboxes } = await world({
    given: [created(1)],
    beforeAppend: () => {
      tries++
      return Promise.reject(new GatewayError('revision-conflict'))
    },
  })
  assert.is((await codeOf(mailboxes.suspend(of(1), 'audit'))).code, 'revision-conflict')
  assert.is(tries, 5)
})

// rename, aliases, hold, release

test('a change resolves with the revision that it made, and is seen before', async () => {
  const { mailboxes, facts, deeds } = await world({ given: [created(1)] })
  assert.is(await mailboxes.rename(of(1), 'Other'), 1)
  assert.is(await mailboxes.hold(of(1), 'lawsuit'), 2)
  assert.is(await mailboxes.release(of(1), 'settled'), 3)
  assert.equal(await facts(), [
    { type: 'MailboxRenamed', data: { mailboxId: mailboxId(1), name: 'Other' } },
    { type: 'HoldPlaced', data: { mailboxId: mailboxId(1), reason: 'lawsuit' } },
    { type: 'HoldReleased', data: { mailboxId: mailboxId(1), reason: 'settled' } },
  ])
  assert.is(deeds.at(-1), 'visible 0000000000000004')
})

test('a bad name or reason is refused, and the field named', async () => {
  const { mailboxes, deeds } = await world({ given: [created(1)] })
  assert.match((await codeOf(mailboxes.rename(of(1), 'a\nb'))).message, /^name /)
  assert.match((await codeOf(mailboxes.hold(of(1), ' '))).message, /^reason /)
  assert.match((await codeOf(mailboxes.release(of(1), ''))).message, /^reason /)
  assert.equal(deeds, [])
})

test('aliases are reserved before the mailbox says that it has them, and released after it says that it has not', async () => {
  const { mailboxes, deeds, facts } = await world({ given: [reserved('a@example.org', 1), created(1)] })
  const revision = await mailboxes.changeAliases(of(1), { add: ['B@example.org'], remove: ['A@example.org'] })
  assert.is(revision, 1)
  assert.equal(
    deeds.filter((deed) => deed.startsWith('append')),
    ['append AliasReserved', 'append MailboxAliasesChanged', 'append AliasReleased'],
  )
  assert.equal((await facts())[1], {
    type: 'MailboxAliasesChanged',
    data: { mailboxId: mailboxId(1), added: ['b@example.org'], removed: ['a@example.org'] },
  })
})

test('of two requests at once for the same alias both succeed, and the mailbox has it', async () => {
  const { mailboxes } = await world({ given: [reserved('a@example.org', 1), created(1), created(2)] })
  const both = [1, 2].map(() => mailboxes.changeAliases(of(1), { add: ['twice@example.org'], remove: [] }))
  await Promise.all(both)
  const taken = await codeOf(mailboxes.changeAliases(of(2), { add: ['twice@example.org'], remove: [] }))
  assert.is(taken.code, 'alias-taken')
})

test('a removed alias can be had by another mailbox', async () => {
  const { mailboxes } = await world({ given: [reserved('a@example.org', 1), created(1), created(2)] })
  const taken = await codeOf(mailboxes.changeAliases(of(2), { add: ['a@example.org'], remove: [] }))
  assert.is(taken.code, 'alias-taken')
  await mailboxes.changeAliases(of(1), { add: [], remove: ['a@example.org'] })
  await mailboxes.changeAliases(of(2), { add: ['a@example.org'], remove: [] })
})

test('adding what the mailbox has and removing what it has not changes nothing', async () => {
  const { mailboxes, facts } = await world({
    given: [reserved('a@example.org', 1), created(1), reserved('b@example.org', 2), created(2), suspended(1)],
  })
  assert.is(await mailboxes.changeAliases(of(1), { add: ['a@example.org'], remove: ['b@example.org'] }), 1)
  assert.equal(await facts(), [])
})

test('a mailbox has at most a hundred aliases', async () => {
  const { mailboxes, facts } = await world({ given: [created(1)] })
  const some = (from: number, count: number) => Array.from({ length: count }, (_, n) => `a${from + n}@example.org`)
  await mailboxes.changeAliases(of(1), { add: some(0, 99), remove: [] })
  const before = (await facts()).length
  const refused = await codeOf(mailboxes.changeAliases(of(1), { add: some(99, 2), remove: [] }))
  assert.is(refused.code, 'request-invalid')
  assert.is((await facts()).length, before)
  await mailboxes.changeAliases(of(1), { add: some(99, 2), remove: some(0, 1) })
})

test('aliases of a mailbox that does not exist are not reserved', async () => {
  const { mailboxes, facts } = await world()
  const refused = await codeOf(mailboxes.changeAliases(of(1), { add: ['a@example.org'], remove: [] }))
  assert.is(refused.code, 'mailbox-unknown')
  assert.equal(await facts(), [])
})

test('of two mailboxes that want one address at once, one gets it, and the other keeps nothing of its request', async () => {
  const { mailboxes, facts } = await world({ given: [created(1), created(2)] })
  const outcomes = await Promise.allSettled(
    [1, 2].map((n) =>
      mailboxes.changeAliases(of(n), { add: [`own${n}@example.org`, 'shared@example.org'], remove: [] }),
    ),
  )
  assert.equal(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  const holders = new Map<string, MailboxId>()
  for (const { type, data } of await facts()) {
    if (type === 'AliasReserved') holders.set(data.alias, data.mailboxId)
    if (type === 'AliasReleased') holders.delete(data.alias)
  }
  assert.is(holders.size, 2)
  assert.is(new Set(holders.values()).size, 1)
})

test('an alias change that the log refuses gives back what it had reserved, and removes nothing', async () => {
  const { mailboxes, facts } = await world({
    given: [reserved('a@example.org', 1), created(1)],
    beforeAppend: ({ events }) =>
      events[0]?.type === 'MailboxAliasesChanged'
        ? Promise.reject(new GatewayError('storage-full'))
        : Promise.resolve(),
  })
  const refused = await codeOf(mailboxes.changeAliases(of(1), { add: ['b@example.org'], remove: ['a@example.org'] }))
  assert.is(refused.code, 'storage-full')
  assert.equal(
    (await facts()).map(({ type }) => type),
    ['AliasReserved', 'AliasReleased'],
  )
})

// delete

const deletion = { reason: 'left', force: false }

test('only a suspended mailbox is deleted, and never under a hold', async () => {
  const refusals: readonly (readonly [readonly Given[], ErrorCode])[] = [
    [[], 'mailbox-unknown'],
    [[created(1)], 'mailbox-conflict'],
    [[created(1), held(1)], 'mailbox-held'],
    [[created(1), suspended(1), held(1)], 'mailbox-held'],
    [[created(1), suspended(1), deleted(1), destroyed(1)], 'mailbox-conflict'],
  ]
  for (const [given, code] of refusals) {
    const { mailboxes, facts } = await world({ given })
    assert.is((await codeOf(mailboxes.delete(of(1), { ...deletion, force: true }))).code, code)
    assert.equal(await facts(), [])
  }
})

test('a deleted mailbox is changed no more', async () => {
  const { mailboxes } = await world({ given: [created(1), suspended(1), deleted(1)] })
  const changes = [
    mailboxes.rename(of(1), 'Other'),
    mailboxes.resume(of(1)),
    mailboxes.hold(of(1), 'lawsuit'),
    mailboxes.changeAliases(of(1), { add: ['a@example.org'], remove: [] }),
    mailboxes.retain(of(1), 0),
  ]
  for (const change of changes) assert.is((await codeOf(change)).code, 'mailbox-conflict')
})

test('a mailbox that holds mail is deleted only when that is forced', async () => {
  for (const mail of [arrived(1, 1), submitted(1, 1)]) {
    const { mailboxes, facts } = await world({ given: [created(1), mail, suspended(1)] })
    assert.is((await codeOf(mailboxes.delete(of(1), deletion))).code, 'mailbox-not-empty')
    assert.equal(await facts(), [])
    await mailboxes.delete(of(1), { ...deletion, force: true })
    const [fact] = await facts()
    assert.ok(fact?.type === 'MailboxDeleted')
    assert.is(fact.data.reason, 'left')
  }
  const drained = await world({ given: [created(1), arrived(1, 1), updated(1, 1), suspended(1)] })
  assert.is(await drained.mailboxes.delete(of(1), deletion), 2)
})

test('the aliases of a deleted mailbox are free', async () => {
  const given = [reserved('a@example.org', 1), created(1), created(2), suspended(1)]
  const { mailboxes, facts } = await world({ given })
  await mailboxes.delete(of(1), deletion)
  assert.equal(
    (await facts()).map(({ type }) => type),
    ['MailboxDeleted', 'AliasReleased'],
  )
  await mailboxes.changeAliases(of(2), { add: ['a@example.org'], remove: [] })
})

test('an alias that a deleted mailbox still holds, because the gateway died in between, can be had', async () => {
  for (const end of [[], [destroyed(1)]]) {
    const given = [reserved('a@example.org', 1), created(1), created(2), suspended(1), deleted(1), ...end]
    const { mailboxes } = await world({ given })
    await mailboxes.changeAliases(of(2), { add: ['a@example.org'], remove: [] })
  }
})

test('a hold that comes in the middle of a deletion wins', async () => {
  let raced = false
  const { mailboxes } = await world({
    given: [created(1), suspended(1)],
    beforeAppend: async ({ events }, log) => {
      if (raced || events[0]?.type !== 'MailboxDeleted') return
      raced = true
      await append(log, [held(1)])
    },
  })
  assert.is((await codeOf(mailboxes.delete(of(1), deletion))).code, 'mailbox-held')
})

// If-Match

test('a change that insists on a revision is made at that one and at no other', async () => {
  const { mailboxes, facts } = await world({ given: [created(1), suspended(1)] })
  assert.is((await codeOf(mailboxes.rename(of(1, 0), 'Other'))).code, 'revision-mismatch')
  assert.is(
    (await codeOf(mailboxes.changeAliases(of(1, 0), { add: ['a@example.org'], remove: [] }))).code,
    'revision-mismatch',
  )
  assert.equal(await facts(), [])
  assert.is(await mailboxes.rename(of(1, 0, 1), 'Other'), 2)
})

test('of two changes at once that insist on one revision, one is made', async () => {
  const { mailboxes, facts } = await world({ given: [created(1)] })
  const outcomes = await Promise.allSettled(['One', 'Other'].map((name) => mailboxes.rename(of(1, 0), name)))
  assert.equal(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  const [lost] = outcomes.filter((outcome) => outcome.status === 'rejected')
  assert.is((lost?.reason as GatewayError).code, 'revision-mismatch')
  assert.is((await facts()).length, 1)
})

test('a mailbox that does not exist is unknown, whatever revision is insisted on', async () => {
  const { mailboxes } = await world()
  assert.is((await codeOf(mailboxes.rename(of(1, 0), 'Other'))).code, 'mailbox-unknown')
})

// Idempotency

const keyed = (key: string, name = 'Archive') => ({ ...wish(), name, idempotencyKey: key })

test('a creation that is asked for again under its key gives the same mailbox, without its password', async () => {
  const { mailboxes, facts } = await world()
  const first = await mailboxes.create(keyed('key'))
  const again = await mailboxes.create(keyed('key'))
  assert.equal([again.mailboxId, again.address, again.password], [first.mailboxId, first.address, undefined])
  assert.ok(first.password)
  assert.is((await facts()).length, 1)
})

test('creations under one key at once make one mailbox', async () => {
  const { mailboxes, facts } = await world()
  const made = await Promise.all(Array.from({ length: 5 }, () => mailboxes.create(keyed('key'))))
  assert.is(new Set(made.map((one) => one.mailboxId)).size, 1)
  assert.is(made.filter(({ password }) => password !== undefined).length, 1)
  assert.is((await facts()).length, 1)
})

test('another request under the same key is refused', async () => {
  const { mailboxes } = await world()
  await mailboxes.create(keyed('key'))
  assert.is((await codeOf(mailboxes.create(keyed('key', 'Other')))).code, 'key-reused')
  assert.ok((await mailboxes.create(keyed('other key', 'Other'))).password)
})

test('a key is in the log as a digest only', async () => {
  const { mailboxes, facts } = await world()
  await mailboxes.create(keyed('a-key-that-somebody-chose'))
  assert.not.match(JSON.stringify(await facts()), 'a-key-that-somebody-chose')
})

test.run()
