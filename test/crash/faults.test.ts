import { rmSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { peerTest } from '../support/peers.ts'
import { faults } from '../torture/faults.ts'
import { runRound } from '../torture/round.ts'
import { makeTemplate } from '../torture/world.ts'

const test = suite('faults, a round each')

// Those that need no right to mount, and of each kind what is quickest: `npm run torture` inflicts them all.
const chosen = ['kill between log and reply', 'power loss, torn writes (proxy)', 'failed flush of the log']
const seed = Math.floor(Math.random() * 2 ** 32)
const making = makeTemplate()
test.after(async () => rmSync((await making).data, { recursive: true }))

for (const name of chosen) {
  const fault = faults.find((one) => one.name === name)
  peerTest(test, fault?.needs ?? [], `${name}: all that was acknowledged is there, in its mailbox alone`, async () => {
    assert.ok(fault, 'there is such a fault')
    const { outcome } = await runRound(fault, await making, seed).catch((cause: unknown) => {
      throw new Error(`with seed ${seed}`, { cause })
    })
    assert.ok(fault.outcomes.includes(outcome))
  })
}

test.run()
