import { createBackups } from '../backup/backups.ts'
import { restoredIn } from '../backup/manifest.ts'
import type { Pausable } from '../backup/pausable.ts'
import { recordGateway } from '../gatewayRecord.ts'
import { knownMailboxes } from '../mailboxes/known.ts'
import { createRetention } from '../retention.ts'
import { startSweeper } from '../sweeper.ts'
import type { Ground } from './ground.ts'

export type Upkeep = ReturnType<typeof startUpkeep>

/** What the gateway does with what it keeps: destroys it in time, and copies it; never both at once. */
export const startUpkeep = (ground: Ground, destruction: Pausable) => {
  const { config, paths, clock, place, storage, log, stamp, cause, views, started, logger, cleanup } = ground
  const { data, node } = config.gateway
  const retention = createRetention({
    log,
    stamp,
    views: { visible: views.visible, reader: views.reader, ...knownMailboxes(views.reader) },
    remove: (objects) => destruction.through(() => storage.remove(objects)),
    removeIdentities: (mailboxId) => destruction.through(() => storage.removeIdentities(mailboxId)),
    clock,
    grace: config.retention.grace,
    cause: { ...cause, causationId: started.event },
  })
  const sweeper = startSweeper({
    retention,
    ready: (signal) => views.visible(started.position, signal),
    every: config.retention.sweep,
    obstacle: () => restoredIn(data),
    logger,
  })
  cleanup.add(() => sweeper.close())
  const backups = createBackups({
    source: place.engine === 'sqlite' ? { places: paths, vault: config.vault.engine } : undefined,
    pauseDestruction: destruction.pause,
    record: (fact, by) => recordGateway({ log, stamp, cause: by, node })(fact),
    logger,
  })
  cleanup.add(() => backups.close())
  return { restore: retention.restore, backups }
}
