import { createHash, randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import { newMessageId, type VaultKey } from '../../src/core/ids.ts'
import { packs } from '../../src/vault/packs.ts'

// Run as a process of its own, to be killed: writes objects of all sizes for ever, each ending in the digest of the rest;
// prints key and digest of each once it is durable, and the keys of those that it removes.

const [dir = '.', day = '2025-03-01'] = process.argv.slice(2)
const vault = packs({ dir })

const say = (...words: readonly string[]) => writeSync(1, `${words.join(' ')}\n`)

const writeForEver = async (worker: number) => {
  for (let round = worker; ; round++) {
    const key = `${day}/${newMessageId()}` as VaultKey
    const content = randomBytes(round % 5 === 0 ? 300_000 + (round % 7) * 100_000 : 2_000 * (1 + (round % 11)))
    const digest = createHash('sha256').update(content)
    const bytes = Buffer.concat([content, digest.copy().digest()])
    const writer = await vault.create(key)
    for (let at = 0; at < bytes.length; at += 65_536) await writer.write(bytes.subarray(at, at + 65_536))
    if (round % 13 === 12) await writer.abort()
    else await writer.commit()
    say(round % 13 === 12 ? 'aborted' : 'kept', key, digest.digest('hex'))
    if (round % 4 !== 3 || round % 13 === 12) continue
    say('removing', key)
    await vault.remove(key)
    say('removed', key)
  }
}

await Promise.all(Array.from({ length: 12 }, (_, worker) => writeForEver(worker)))
