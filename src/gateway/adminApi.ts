import { randomBytes } from 'node:crypto'
import { firstToExpire } from '../certificates.ts'
import type { AccessControl } from '../access/openAccess.ts'
import { createAudit } from '../audit.ts'
import { Secret } from '../core/secret.ts'
import type { AdminApi } from '../http/buildApp.ts'
import { cursorsUnder } from '../http/cursors.ts'
import { sharedKey } from '../keys/sharedKey.ts'
import type { Login } from '../login.ts'
import { createMailboxes } from '../mailboxes.ts'
import { countShut } from '../mailboxes/countShut.ts'
import { createKeyChanges } from '../mailboxes/keyChanges.ts'
import { knownMailboxes } from '../mailboxes/known.ts'
import { observe } from '../metrics/observation.ts'
import { createOpenMessage } from '../openMessage.ts'
import { version } from '../version.ts'
import type { Ground } from './ground.ts'
import type { MailServers } from './mailServers.ts'
import type { Refusing } from './refusing.ts'
import type { Upkeep } from './upkeep.ts'

type ApiParts = Pick<Refusing, 'metrics' | 'refused'> & {
  readonly access: AccessControl
  readonly login: Login
  /** Removes key files that nobody needs any more. */
  readonly tidy: (names: readonly string[]) => void
  readonly mail: MailServers
  readonly upkeep: Upkeep
}

/** What administrators can do, not yet listening. */
export const adminApi = async (ground: Ground, parts: ApiParts): Promise<AdminApi> => {
  const { config, keys, clock, storage, log, stamp, views, history, logger } = ground
  const { domain } = config.gateway
  const { access, login, tidy, mail, upkeep, metrics, refused } = parts
  const known = knownMailboxes(views.reader)
  const audit = createAudit({ log, stamp, clock })
  return {
    version,
    domain,
    token: new Secret(randomBytes(32).toString('base64url')),
    access,
    senders: mail.senders,
    audit,
    mailboxes: createMailboxes({
      log,
      stamp,
      keys: storage,
      views: { visible: views.mailboxesVisible, allVisible: views.visible, ...known },
      domain,
    }),
    keyChanges: createKeyChanges({
      log,
      stamp,
      login,
      keys: { ...storage, removeKeyFiles: tidy },
      views: { visible: views.mailboxesVisible, ...known },
      countShut: (mailboxId, open) => countShut(views.reader, mailboxId, open),
    }),
    restore: (message, by) => upkeep.restore(message, by),
    views,
    log,
    clock,
    cursors: cursorsUnder(await sharedKey(keys, 'api/cursor.key')),
    history,
    keyFile: (mailboxId, wanted) => storage.keyFile(mailboxId, wanted),
    sealed: (object) => storage.sealed(object),
    open: createOpenMessage({ storage, login, audit }),
    mailClients: { listening: () => mail.listening, mustReach: mail.proxies.mustReach },
    backups: upkeep.backups,
    observation: observation(ground, mail, metrics),
    metricsAreOpen: config.admin.metrics === 'open',
    refused,
    logger,
  }
}

const observation = (ground: Ground, mail: MailServers, metrics: Refusing['metrics']) => {
  const { config, paths, place, log, storage, views, served, clock } = ground
  return observe({
    metrics,
    log,
    storage,
    views,
    sessions: mail.connections,
    sessionsOfOne: mail.connectionsOfOne,
    bytesInFlight: mail.bytesInFlight,
    limits: served.limits,
    certificate: () => firstToExpire(served.certificates),
    clock,
    diskReserve: () => served.limits.diskReserve,
    data: config.gateway.data,
    logFiles: place.engine === 'sqlite' ? [place.file, `${place.file}-wal`] : [],
    vaultDir: paths.vault,
  })
}
