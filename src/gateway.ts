import { randomBytes } from 'node:crypto'
import { networkInterfaces } from 'node:os'
import { listMailboxes, mailboxNamed } from '../projections/mailboxes.ts'
import { recordedFrom } from '../projections/messages.ts'
import { firstPassword } from './access/firstPassword.ts'
import { openAccess } from './access/openAccess.ts'
import { announce, announceCertificate, withdraw } from './announcement.ts'
import { createAudit } from './audit.ts'
import { createBackups } from './backup/backups.ts'
import { restoredIn } from './backup/manifest.ts'
import { pausable } from './backup/pausable.ts'
import { type Config, configSha256 } from './config.ts'
import { currentMailboxes } from './currentMailboxes.ts'
import { GatewayError } from './core/errors.ts'
import { type Cause, stamper } from './core/events.ts'
import { newSessionId } from './core/ids.ts'
import { type EventLog, type Logger, systemClock } from './core/ports.ts'
import { Secret } from './core/secret.ts'
import { certificateRecords, configuredCertificate } from './certificates.ts'
import { claimNode } from './nodeClaim.ts'
import {
  claimDataDirectory,
  instanceOf,
  logPlaceOf,
  placesOf,
  prepareDataDirectory,
  recogniseDirectories,
} from './dataDirectory.ts'
import type { AdminApi } from './http/buildApp.ts'
import { startAdmin } from './http/admin.ts'
import { cursorsUnder } from './http/cursors.ts'
import { recordGateway } from './gatewayRecord.ts'
import { guessingGuard, officeBurst } from './keys/guessingGuard.ts'
import { endEarlierRuns } from './earlierRuns.ts'
import { keyFiles } from './keys/keyFiles.ts'
import { sharedKey } from './keys/sharedKey.ts'
import { tidier } from './keys/tidier.ts'
import { type Address, pop3Listeners, smtpListeners, standInListeners, submissionListeners } from './listeners.ts'
import { createLogin } from './login.ts'
import { recordRelays } from './relays.ts'
import { createMailboxes } from './mailboxes.ts'
import { countShut } from './mailboxes/countShut.ts'
import { createKeyChanges } from './mailboxes/keyChanges.ts'
import { knownMailboxes } from './mailboxes/known.ts'
import { ringOf } from './mailboxes/newest.ts'
import { openMaildrops } from './maildrop.ts'
import { leasedLock, type LeaseParts } from './maildropLease.ts'
import { localLock, type MaildropLock } from './maildropLock.ts'
import { createMetrics } from './metrics/metrics.ts'
import { observe } from './metrics/observation.ts'
import { onlyActive } from './onlyActive.ts'
import { createOpenMessage } from './openMessage.ts'
import { startPop3 } from './pop3/pop3Server.ts'
import { openFingerprints } from './proxy/fingerprint.ts'
import { openPop3Proxies } from './proxy/pop3Proxy.ts'
import { countRefusals } from './refusals.ts'
import { openSmtpProxies } from './proxy/smtpProxy.ts'
import { startProxies } from './proxy/start.ts'
import { createReload } from './reload.ts'
import { createRetention } from './retention.ts'
import { recordSessions } from './sessions.ts'
import { startSmtp } from './smtp/smtpServer.ts'
import { startSubmission } from './smtp/submissionServer.ts'
import { caughtUp, snapshotOf } from './snapshot.ts'
import { openStandIns } from './standIn.ts'
import { pastViews } from './storage/history.ts'
import { startStorage } from './storage/storage.ts'
import { openViews } from './storage/views.ts'
import { startSweeper } from './sweeper.ts'
import type { Certificate } from './tls/certificate.ts'
import { version } from './version.ts'
import { waitingForLog } from './waiting.ts'

export type Gateway = {
  readonly addresses: readonly Address[]
  /** SHA-256 of the certificate, hexadecimal octets with colons. */
  readonly fingerprint: string
  readonly certificateCreated: boolean
  /** The first administrator's, when this start has made him. */
  readonly firstPassword: { readonly file: string; readonly name: string; readonly password: Secret } | undefined
  /** Whether anybody could be served already. */
  readonly hasMailboxes: boolean
  /** Resolves once the gateway has stopped; rejects when it cannot go on and the process must end. */
  readonly closed: Promise<void>
  /** As `createReload`. */
  readonly reload: (load: () => Config) => Promise<Config>
  /** No new work, running transactions finish, everything is closed. Idempotent. */
  stop(reason: string): Promise<void>
}

/** Milliseconds that running transactions have when the gateway stops. */
const grace = 10_000
export type GatewayParts = {
  readonly config: Config
  readonly logger: Logger
  /** Ends the waiting for a log that cannot be reached; the start then rejects with `shutting-down`. */
  readonly signal?: AbortSignal
  /** Take the gateway's name from whatever data directory has it on this log. */
  readonly takeOver?: boolean
}

/**
 * Starts everything on the data directory, or rejects with `start-refused` and has started nothing. An event store that
 * cannot be reached is waited for; meanwhile peers are told to come back later.
 */
export const startGateway = async ({ config, logger, signal, takeOver = false }: GatewayParts): Promise<Gateway> => {
  const { data, node, domain } = config.gateway
  const paths = placesOf(config)
  prepareDataDirectory(data)
  const cleanup: (() => unknown)[] = []
  const claim = claimDataDirectory(data)
  cleanup.push(() => claim.release())
  try {
    recogniseDirectories(paths)
    const clock = systemClock
    const keys = keyFiles({ dir: paths.keys })
    const certificateFor = configuredCertificate({ keys, clock, ownAddresses })
    const first = await certificateFor(config)
    const served = { tls: first as Certificate, limits: { ...config.limits }, proxy: { ...config.proxy } }
    const vault = { engine: config.vault.engine, dir: paths.vault }
    const place = logPlaceOf(config)
    const standIn = () => openStandIns(standInListeners(config), { domain, tls: first })
    const waiting = waitingForLog({ standIn, logger, signal, mayReturn: place.engine !== 'sqlite' })
    cleanup.push(() => waiting.over())
    const storage = await startStorage({ log: place, vault, keysDir: paths.keys, node }, waiting.onAway)
    cleanup.push(() => storage.close())
    const { log } = storage
    const patient: Pick<EventLog, 'append' | 'readLast'> = {
      append: (append) => waiting.through(() => log.append(append)),
      readLast: (stream) => waiting.through(() => log.readLast(stream)),
    }
    const stamp = stamper(node, () => clock.now())
    const run = newSessionId()
    const cause: Cause = { principal: 'system', correlationId: run, causationId: run }
    // A log in one file has one gateway.
    if (place.engine !== 'sqlite')
      await claimNode({ log: patient, stamp, cause, node, instance: instanceOf(paths), takeOver })
    const views = await openViews({ file: paths.views, log: place, logger, onAway: waiting.onAway, signal })
    cleanup.push(() => views.close())

    const history = pastViews({ log: place, domain, questions: config.limits.historyQuestions })
    cleanup.push(() => history.close())

    const recordStart = recordGateway({ log: patient, stamp, cause, node })
    const started = await recordStart({ type: 'GatewayStarted', data: { configSha256: configSha256(config) } })
    const certificates = certificateRecords(keys, node)
    if (first.created || (config.tls.mode === 'files' && !(await certificates.isLast(first))))
      await certificates.add(first, recordStart)
    await waiting.over()

    const refusals = countRefusals({ node, log, stamp, clock, logger })
    cleanup.push(() => refusals.close())
    const metrics = createMetrics({ version, node: process.versions.node })
    const refused = (source: string, kind: string) => {
      metrics.refused(kind)
      refusals.refused(source, kind)
    }
    const accessParts = { log, keys, stamp, clock, logger, refused, firstPasswordFile: paths.firstPassword }
    const access = openAccess(accessParts)
    const { administrators } = access
    const newcomer = await firstPassword({ administrators, log, clock, cause, file: paths.firstPassword })

    // Not waited for: building the views may take long.
    const whose = place.engine === 'sqlite' ? undefined : node
    void endEarlierRuns({ reader: views.reader, visible: views.visible, log, stamp, node: whose, started, logger })

    const sessions = recordSessions(log, stamp, logger)
    const { visible, reader } = views
    const known = knownMailboxes(reader)
    const destruction = pausable()
    const tidy = tidier({
      remove: (names) => destruction.through(() => storage.removeKeyFiles(names)),
      obstacle: () => restoredIn(data),
      logger,
    })
    const login = createLogin({
      storage,
      ringOf: (mailboxId) => ringOf({ log, views: known }, mailboxId),
      tidy,
      log,
      stamp,
      guard: guessingGuard(clock),
      refused,
      recorded: metrics.refused,
      damaged: metrics.keysDamaged,
      logger,
    })
    const named = (name: string) => {
      const mailbox = mailboxNamed(views.reader, domain, name)
      // A view that is behind the log does not prove that there is none.
      if (!mailbox && !views.status().mailboxesKnown) throw new GatewayError('storage-failed')
      return mailbox?.state === 'deleted' || mailbox?.state === 'destroyed' ? undefined : mailbox
    }
    const active = onlyActive(storage.archive, (mailboxId) => {
      if (named(mailboxId)?.state !== 'active') throw new GatewayError('mailbox-suspended')
    })
    const archive = metrics.counted(active)
    const current = place.engine === 'sqlite' ? undefined : currentMailboxes(views, log)
    const maildrops = openMaildrops({
      storage,
      lock: lockOf(config, { log, stamp, clock, logger }),
      login,
      mailboxOf: (user) => named(user)?.mailboxId,
      current,
      snapshot: (mailboxId) => snapshotOf(views, log, mailboxId),
    })
    const listening: Address[] = []
    const proxies = startProxies({
      settings: served.proxy,
      resolve: named,
      current,
      // Apart from the maildrops': whom a provider refuses has guessed no mailbox's password.
      guard: guessingGuard(clock, officeBurst),
      refused,
      logger,
      ownAddresses,
      ownPorts: () => listening.map(({ port }) => port),
    })
    const pair = () => ({ key: served.tls.key, cert: served.tls.cert })
    const shared = { domain, limits: served.limits, tls: pair, sessions, refused, logger, clock }
    const smtp = await startSmtp({
      ...shared,
      listeners: smtpListeners(config),
      postmaster: config.smtp.postmaster,
      archive,
      resolve: (address) => {
        const found = named(address)
        return found && { ...found, suspended: found.state === 'suspended' }
      },
      current,
    })
    listening.push(...smtp.addresses)
    cleanup.push(() => smtp.close(grace))
    const relays = recordRelays({ log, stamp, logger })
    cleanup.push(() => relays.close())
    const forwarding = { proxies, archive, settings: served.proxy }
    const submission = await startSubmission({
      ...shared,
      listeners: submissionListeners(config),
      proxies: openSmtpProxies({ ...shared, ...forwarding, relays }),
    })
    listening.push(...submission.addresses)
    cleanup.push(() => submission.close(grace))
    const pop3 = await startPop3({
      ...shared,
      proxies: proxies.on
        ? openPop3Proxies({
            ...shared,
            ...forwarding,
            fingerprints: await openFingerprints(keys),
            caughtUp: () => caughtUp(views, log),
            recorded: (mailboxId, origin) => recordedFrom(views.reader, mailboxId, origin),
          })
        : undefined,
      listeners: pop3Listeners(config),
      maildrops,
    })
    listening.push(...pop3.addresses)
    cleanup.push(() => pop3.close(grace))

    const retention = createRetention({
      log,
      stamp,
      views: { visible, reader, ...known },
      remove: (objects) => destruction.through(() => storage.remove(objects)),
      removeIdentities: (mailboxId) => destruction.through(() => storage.removeIdentities(mailboxId)),
      clock,
      grace: config.retention.grace,
      cause: { ...cause, causationId: started.event },
    })
    const sweeper = startSweeper({
      retention,
      ready: (signal) => visible(started.position, signal),
      every: config.retention.sweep,
      obstacle: () => restoredIn(data),
      logger,
    })
    cleanup.push(() => sweeper.close())
    const backups = createBackups({
      source: place.engine === 'sqlite' ? { places: paths, vault: vault.engine } : undefined,
      pauseDestruction: destruction.pause,
      record: (fact, by) => recordGateway({ log, stamp, cause: by, node })(fact),
      logger,
    })
    cleanup.push(() => backups.close())

    const token = new Secret(randomBytes(32).toString('base64url'))
    const audit = createAudit({ log, stamp, clock })
    const api: AdminApi = {
      version,
      domain,
      token,
      access,
      audit,
      mailboxes: createMailboxes({
        log,
        stamp,
        keys: storage,
        views: { visible: views.mailboxesVisible, allVisible: visible, ...known },
        domain,
      }),
      keyChanges: createKeyChanges({
        log,
        stamp,
        login,
        keys: { ...storage, removeKeyFiles: tidy },
        views: { visible: views.mailboxesVisible, ...known },
        countShut: (mailboxId, open) => countShut(reader, mailboxId, open),
      }),
      restore: (message, by) => retention.restore(message, by),
      views,
      log,
      clock,
      cursors: cursorsUnder(await sharedKey(keys, 'api/cursor.key')),
      history,
      keyFile: (mailboxId, wanted) => storage.keyFile(mailboxId, wanted),
      sealed: (object) => storage.sealed(object),
      open: createOpenMessage({ storage, login, audit }),
      mailClients: { listening: () => listening, mustReach: proxies.mustReach },
      backups,
      observation: observe({
        metrics,
        log,
        storage,
        views,
        sessions: () => ({
          smtp: smtp.connections(),
          submission: submission.connections(),
          pop3: pop3.connections(),
        }),
        certificateExpires: () => served.tls.notAfter,
        clock,
        diskReserve: () => served.limits.diskReserve,
        data,
        logFiles: place.engine === 'sqlite' ? [place.file, `${place.file}-wal`] : [],
        vaultDir: vault.dir,
      }),
      metricsAreOpen: config.admin.metrics === 'open',
      refused,
      logger,
    }
    const admin = await startAdmin({ api, host: config.admin.host, port: config.admin.port, certificate: pair() })
    if (admin.address) listening.push(admin.address)
    cleanup.push(() => admin.close())
    announce(paths, { token, certificate: first.cert, address: admin.address })
    cleanup.push(() => withdraw(paths))

    const recordChange = recordGateway({ log, stamp, cause, node })
    const reload = createReload({
      config,
      certificate: () => served.tls,
      read: certificateFor,
      record: recordChange,
      recordCertificate: (found) => certificates.add(found, recordChange),
      apply: ({ limits, proxy }, tls) => {
        Object.assign(served.limits, limits)
        Object.assign(served.proxy, proxy)
        served.tls = tls
        for (const listening of [smtp, submission]) listening.renew()
        admin.renew(pair())
        if (admin.address) announceCertificate(paths, tls.cert)
      },
      logger,
    })

    const over = Promise.withResolvers<undefined>()
    over.promise.catch(() => undefined)
    storage.onFailure(over.reject)
    const stop = async (reason: string) => {
      // In the order of the way in: nobody new, what runs comes to its end, then what it needs.
      await Promise.all([backups.close(), smtp.close(grace), submission.close(grace), pop3.close(grace), admin.close()])
      await refusals.close()
      await recordChange({ type: 'GatewayStopped', data: { reason } }).catch((error: unknown) => {
        logger.warn({ err: error }, 'GatewayStopped was not recorded')
      })
      await undo(cleanup)
      over.resolve(undefined)
    }
    let stopping: Promise<void> | undefined
    return {
      addresses: listening,
      fingerprint: first.fingerprint,
      certificateCreated: first.created,
      firstPassword: newcomer && { file: paths.firstPassword, ...newcomer },
      hasMailboxes: listMailboxes(views.reader, { limit: 1 }).items.length > 0,
      closed: over.promise,
      reload,
      stop: (reason) => (stopping ??= stop(reason)),
    }
  } catch (error) {
    await undo(cleanup)
    throw error
  }
}

/** Undoes what was done, the last first; each step is tried whatever became of the others. */
const undo = async (steps: (() => unknown)[]) => {
  for (let step = steps.pop(); step; step = steps.pop()) await Promise.try(step).catch(() => undefined)
}

const ownAddresses = () =>
  Object.values(networkInterfaces()).flatMap((interfaces) => (interfaces ?? []).map(({ address }) => address))

/** A log in one file has one gateway. */
const lockOf = (
  { log: { engine }, gateway: { node }, limits }: Config,
  parts: Omit<LeaseParts, 'node' | 'seconds'>,
): MaildropLock =>
  engine === 'sqlite' ? localLock(parts) : leasedLock({ ...parts, node, seconds: limits.maildropLease })
