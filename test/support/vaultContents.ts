import { buffer } from 'node:stream/consumers'
import type { ScratchGateway } from '../../ops/scratchGateway.ts'
import { scratchEnv } from '../../ops/scratchGateway.ts'
import { loadConfig } from '../../src/config.ts'
import type { MailboxId } from '../../src/core/ids.ts'
import { Secret } from '../../src/core/secret.ts'
import { allEvents } from '../../src/allEvents.ts'
import { logPlaceOf, placesOf } from '../../src/dataDirectory.ts'
import { keyFiles } from '../../src/keys/keyFiles.ts'
import { unlockIdentities } from '../../src/keys/unlock.ts'
import { readLog } from '../../src/log/openLog.ts'
import { ringOf } from '../../src/mailboxes/newest.ts'
import { openVerified } from '../../src/retrieve.ts'
import { openVault } from '../../src/vault/openVault.ts'

/** The plaintext of every message of a mailbox as it lies in the vault of a gateway that has stopped, in the order of the log. */
export const vaultContents = async (
  { data, ports }: Pick<ScratchGateway, 'data' | 'ports'>,
  { mailboxId, password }: { readonly mailboxId: string; readonly password: string },
): Promise<readonly Buffer[]> => {
  const config = loadConfig({ cwd: data, env: scratchEnv(data, ports) })
  const log = await readLog(logPlaceOf(config))
  const vault = openVault({ engine: config.vault.engine, dir: placesOf(config).vault })
  try {
    const ring = await ringOf({ log, views: { mailboxAsOf: () => undefined } }, mailboxId as MailboxId)
    const keys = keyFiles({ dir: placesOf(config).keys })
    const unlocked = await unlockIdentities(keys, ring, { password: new Secret(password) })
    const identities = unlocked?.opened.map(({ identity }) => identity) ?? []
    const contents: Buffer[] = []
    for await (const event of allEvents(log))
      if (event.type === 'MessageSealed' && event.data.mailboxId === mailboxId)
        contents.push(await buffer(openVerified(vault, event.data, identities)))
    return contents
  } finally {
    await vault.close()
    await log.close()
  }
}
