// How log and views grow, on a scratch gateway:  node ops/bench/logGrowth.ts
// Prints for each kind of work the events and the octets (indices included) that one of it leaves.
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { pathsIn } from '../../src/dataDirectory.ts'
import { pop3Client } from '../../test/support/pop3Client.ts'
import { smtpClient } from '../../test/support/smtpClient.ts'
import { startScratchGateway } from '../scratchGateway.ts'

const gateway = await startScratchGateway()
const { mailboxId, address, password } = await gateway.createMailbox('--name', 'Journal')
const paths = pathsIn(gateway.data)
const mail = Buffer.from(`Subject: growth\r\n\r\n${`${'x'.repeat(76)}\r\n`.repeat(130)}`)
const idleSeconds = 30

const octetsOf = (file: string) => {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    const ask = (name: string) => Number(db.prepare(`pragma ${name}`).get()?.[name])
    return (ask('page_count') - ask('freelist_count')) * ask('page_size')
  } finally {
    db.close()
  }
}
const events = () => {
  const db = new DatabaseSync(paths.log, { readOnly: true })
  try {
    return Number(db.prepare('select count(*) as events from event').get()?.['events'])
  } finally {
    db.close()
  }
}
const size = () => ({ events: events(), log: octetsOf(paths.log), views: octetsOf(paths.views) })

const send = async (mails: number) => {
  const client = await smtpClient(gateway.ports.smtp)
  for (let sent = 0; sent < mails; sent++) {
    const reply = await client.deliver(address, mail)
    if (!reply.startsWith('250')) throw new Error(reply)
  }
  await client.quit()
}
const collect = async (): Promise<void> => {
  const client = await pop3Client(gateway.ports.pop3s, { tls: true })
  await client.login(mailboxId, password)
  const waiting = Number((await client.command('STAT')).split(' ')[1])
  for (let number = 1; number <= waiting; number++) {
    await client.retrieve(number)
    await client.command(`DELE ${number}`)
  }
  await client.quit()
}
const times = async (count: number, work: () => Promise<void>) => {
  for (let done = 0; done < count; done++) await work()
}

const measured = async (what: string, count: number, work: () => Promise<void>) => {
  const before = size()
  await work()
  await delay(1000) // the views follow
  const after = size()
  const each = (name: keyof typeof before) => ((after[name] - before[name]) / count).toFixed(name === 'events' ? 2 : 0)
  console.log(`${what.padEnd(46)} ${each('events')} events, ${each('log')} octets of log, ${each('views')} of views`)
}

try {
  await measured('a mail on a connection that brings 1000', 1000, () => send(1000))
  await measured('a mail on a connection of its own', 500, () => times(500, () => send(1)))
  await measured('a mail collected and deleted, of 1500 in a visit', 1500, collect)
  await measured('a visit that finds nothing', 500, () => times(500, collect))
  await measured('a day without peers (from half a minute)', idleSeconds / 86_400, () => delay(idleSeconds * 1000))
} finally {
  await gateway.stop()
  gateway.remove()
}
