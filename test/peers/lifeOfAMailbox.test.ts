import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { peerTest } from '../support/peers.ts'
import { eventsOf } from '../support/roundTrip.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { outputOf } from './program.ts'

const test = suite('the life of a mailbox by curl')
const gateway = await startTestGateway({ env: { SEALPOST_RETENTION_SWEEP: '1s' } })

test.after(async () => {
  await gateway.stop()
  gateway.remove()
})

const script = join(import.meta.dirname, '../../ops/docs/examples/life-of-a-mailbox.sh')
const env = {
  SMTP_URL: `smtp://127.0.0.1:${gateway.ports.smtp}`,
  POP3S_URL: `pop3s://127.0.0.1:${gateway.ports.pop3s}`,
  ADMINISTRATOR: 'guide',
}

/** Each step as the script means it: what happened, and who did it. */
const steps = [
  ['AdministratorAdded', 'local'],
  ['AdministratorPasswordChanged', 'administrator:guide'],
  ['TokenIssued', 'administrator:guide'],
  ['TokenIssued', 'administrator:guide'],
  ['MailboxCreated', 'token'],
  ['AliasReserved', 'token'],
  ['MailboxAliasesChanged', 'token'],
  ['MessageReceived', 'peer:127.0.0.1'],
  ['MessageSealed', 'peer:127.0.0.1'],
  ['MessageRetrieved', 'peer:127.0.0.1'],
  ['MailboxPasswordChanged', 'administrator:guide'],
  ['MailboxKeyRotated', 'administrator:guide'],
  ['MessageRetrieved', 'peer:127.0.0.1'],
  ['MailboxPasswordReset', 'administrator:guide'],
  ['MessageReceived', 'peer:127.0.0.1'],
  ['MessageSealed', 'peer:127.0.0.1'],
  ['MessageRetrieved', 'peer:127.0.0.1'],
  ['MessageRetrieved', 'peer:127.0.0.1'],
  ['MailboxDeletionRefused', 'administrator:guide'],
  ['HoldPlaced', 'administrator:guide'],
  ['MailboxSuspended', 'token'],
  ['MailboxDeletionRefused', 'administrator:guide'],
  ['HoldReleased', 'administrator:guide'],
  ['MailboxDeletionRefused', 'administrator:guide'],
  ['MailboxDeleted', 'administrator:guide'],
  ['AliasReleased', 'administrator:guide'],
  ['PurgeDecided', 'system'],
  ['MessagePurged', 'system'],
  ['MessagePurged', 'system'],
  ['MailboxDestroyed', 'system'],
  ['TokenRevoked', 'administrator:guide'],
  ['RecordOpened', 'token'],
].map((step) => step.join(' by '))

/** What a gateway records besides, at times of its own. */
const besides = /^(?:Session|Login|Refusals|Gateway|Certificate)/
const without = (lines: readonly string[]) =>
  lines.filter((line) => !besides.test(line)).map((line) => line.replace(/ by (token|local):.*/, ' by $1'))

peerTest(
  test,
  ['bash', 'curl', 'python3'],
  'with curl and the OpenAPI document alone a mailbox is led from its creation to its end, and each step stands in the log with who did it',
  async () => {
    const printed = (await outputOf('bash', [script, gateway.data], { env })).toString()
    const told = printed
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([, type, principal]) => `${type} by ${principal}`)
    // The start of the gateway may have been in the same second.
    assert.equal(without(told.slice(told.findIndex((line) => line.startsWith('AdministratorAdded by local')))), steps)

    const events = await eventsOf(gateway)
    const recorded = events.map(({ type, metadata }) => `${type} by ${metadata.principal}`)
    for (const line of told) assert.ok(recorded.includes(line), line)
    const refused = events.filter(({ type }) => type === 'MailboxDeletionRefused')
    assert.equal(
      refused.map(({ data }) => data['because']),
      ['mailbox-conflict', 'mailbox-held', 'mailbox-not-empty'],
    )
    assert.ok(refused.every(({ metadata }) => metadata.source === '127.0.0.1'))
    assert.not.match(await gateway.command('admin', 'list'), 'guide')
  },
)

test.run()
