import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Fault, nothingMore } from '../fault.ts'
import { attachStrace } from '../strace.ts'
import type { World } from '../world.ts'
import { loggedIn } from '../judge.ts'
import { killedAt, traceIn } from './steps.ts'

/** What a change of keys calls in the key directory, a few times each. */
const ofKeyFiles = ['fsync', 'link', 'rename', 'unlink', 'openat']

export const inKeyChange: Fault = {
  name: 'kill in a change of keys',
  how: 'killed at a step of `mailbox rotate-key` or `mailbox password`, or of the login after it that removes old files',
  outcomes: ['killed'],
  needs: ['strace'],
  inflict: async (world) => {
    const { random, mailboxes } = world
    const gateway = await world.start()
    const load = world.load()
    await load.acknowledged(10, 10_000)
    await load.stop()
    const [mailbox] = mailboxes
    if (!mailbox) return nothingMore
    const injection = {
      calls: [random.one(ofKeyFiles)],
      what: 'signal=KILL',
      when: String(random.whole(1, 4)),
      output: traceIn(world),
    }
    await attachStrace(gateway.process.pid ?? 0, injection)
    const change = async () => {
      await (random.chance(0.7) ? rotateKey(world, mailbox) : changePassword(world, mailbox))
      await (await loggedIn(world, mailbox)).quit()
    }
    const changing = (async () => {
      while (gateway.process.signalCode === null) await change().catch(() => delay(10))
    })()
    await killedAt(world, () => false)
    await changing
    return nothingMore
  },
}

type Mailbox = World['mailboxes'][number]

const rotateKey = async ({ gateway, scratch }: World, { mailboxId, passwords }: Mailbox) => {
  const file = fileWith(scratch, passwords[0] ?? '')
  await gateway?.command('mailbox', 'rotate-key', mailboxId, '--password-file', file).catch(() => undefined)
}

/** The new one is chosen here, so that it is known although the answer may not come. */
const changePassword = async ({ gateway, scratch, random }: World, { mailboxId, passwords }: Mailbox) => {
  const [old = ''] = passwords
  const chosen = `chosen-${random.whole(100_000, 999_999)}-${random.whole(100_000, 999_999)}`
  const files = ['--old-password-file', fileWith(scratch, old), '--new-password-file', fileWith(scratch, chosen)]
  passwords.push(chosen)
  await gateway?.command('mailbox', 'password', mailboxId, ...files).then(
    () => passwords.splice(0, 1),
    () => undefined,
  )
}

let files = 0
const fileWith = (scratch: string, text: string) => {
  const path = join(scratch, `secret-${files++}`)
  writeFileSync(path, text)
  return path
}
