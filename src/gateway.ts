import { listMailboxes } from '../projections/mailboxes.ts'
import { firstPassword } from './access/firstPassword.ts'
import { openAccess } from './access/openAccess.ts'
import { announce, announceCertificate, withdraw } from './announcement.ts'
import { restoredIn } from './backup/manifest.ts'
import { pausable } from './backup/pausable.ts'
import { acmeNames, type Config } from './config.ts'
import type { Logger } from './core/ports.ts'
import type { Secret } from './core/secret.ts'
import { claimDataDirectory, placesOf, prepareDataDirectory } from './dataDirectory.ts'
import { endEarlierRuns } from './earlierRuns.ts'
import { adminApi } from './gateway/adminApi.ts'
import { createCleanup } from './gateway/cleanup.ts'
import { openGround } from './gateway/ground.ts'
import { startMailServers } from './gateway/mailServers.ts'
import { startRefusing } from './gateway/refusing.ts'
import { asStartFailure } from './gateway/startFailure.ts'
import { startUpkeep } from './gateway/upkeep.ts'
import { recordGateway } from './gatewayRecord.ts'
import { startAdmin } from './http/admin.ts'
import { guessingGuard } from './keys/guessingGuard.ts'
import { tidier } from './keys/tidier.ts'
import type { Address } from './listeners.ts'
import { createLogin } from './login.ts'
import { knownMailboxes } from './mailboxes/known.ts'
import { ringOf } from './mailboxes/newest.ts'
import { createReload, type Reload } from './reload.ts'
import { startAcme } from './tls/acme/startAcme.ts'
import { servePolicy } from './tls/mtaSts.ts'

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
  readonly reload: Reload['configuration']
  /** No new work, running transactions finish, everything is closed. Idempotent. */
  stop(reason: string): Promise<void>
}

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
  const { data, node } = config.gateway
  prepareDataDirectory(data)
  const cleanup = createCleanup()
  const claim = claimDataDirectory(data)
  cleanup.add(() => claim.release())
  try {
    const ground = await openGround({ config, logger, signal, takeOver, cleanup })
    const { paths, clock, keys, first, served, pair, place, storage, log, stamp, views, started } = ground
    const { metrics, refusals, refused } = startRefusing(ground)
    const access = openAccess({ log, keys, stamp, clock, logger, refused, firstPasswordFile: paths.firstPassword })
    const { administrators } = access
    const newcomer = await firstPassword({ administrators, log, clock, cause: ground.cause, file: paths.firstPassword })

    // Not waited for: building the views may take long.
    const whose = place.engine === 'sqlite' ? undefined : node
    void endEarlierRuns({ reader: views.reader, visible: views.visible, log, stamp, node: whose, started, logger })

    const destruction = pausable()
    const tidy = tidier({
      remove: (names) => destruction.through(() => storage.removeKeyFiles(names)),
      obstacle: () => restoredIn(data),
      logger,
    })
    const login = createLogin({
      storage,
      ringOf: (mailboxId) => ringOf({ log, views: knownMailboxes(views.reader) }, mailboxId),
      tidy,
      log,
      stamp,
      guard: guessingGuard(clock),
      refused,
      recorded: metrics.refused,
      damaged: metrics.keysDamaged,
      logger,
    })
    const mail = await startMailServers(ground, { metrics, refused, login })
    const upkeep = startUpkeep(ground, destruction)
    const api = await adminApi(ground, { access, login, tidy, mail, upkeep, metrics, refused })
    const admin = await startAdmin({ api, host: config.admin.host, port: config.admin.port, certificate: pair() })
    if (admin.address) mail.listening.push(admin.address)
    cleanup.add(() => admin.close())
    const policy = config.mtaSts.port === 'off' ? undefined : await servePolicy(config, config.mtaSts.port, pair)
    if (policy) mail.listening.push({ protocol: 'mta-sts', host: policy.host, port: policy.port })
    cleanup.add(() => policy?.close())
    cleanup.add(() => withdraw(paths))
    announce(paths, { token: api.token, certificate: served.certificates[0].cert, address: admin.address })

    const recordChange = recordGateway({ log, stamp, cause: ground.cause, node })
    const reload = createReload({
      config,
      certificates: () => served.certificates,
      read: ground.certificatesFor,
      authorities: ground.authoritiesFor,
      record: recordChange,
      recordCertificates: (found) => ground.certificateRecords.add(found, recordChange),
      apply: ({ tls, limits, proxy, smtp }, found, authorities) => {
        served.smtp = smtp
        served.clientAuthorities = authorities
        Object.assign(served.tls, tls)
        Object.assign(served.limits, limits)
        Object.assign(served.proxy, proxy)
        served.certificates = found
        mail.renew()
        admin.renew(pair())
        policy?.renew()
        if (admin.address) announceCertificate(paths, found[0].cert)
      },
      logger,
    })
    ground.certificateFiles.start(reload.certificates)
    if (config.tls.mode === 'acme') {
      const isShown = (fingerprint: string) => served.certificates.some((shown) => shown.fingerprint === fingerprint)
      const parts = {
        keys,
        node,
        clock,
        logger,
        counted: metrics.certificateOrdered,
        isShown,
        show: reload.certificates,
      }
      const acme = await startAcme({ ...parts, settings: config.acme, names: acmeNames(config) })
      mail.listening.push({ protocol: 'acme', host: acme.address.host, port: acme.address.port })
      cleanup.add(() => acme.close())
    }

    const over = Promise.withResolvers<undefined>()
    over.promise.catch(() => undefined)
    storage.onFailure(over.reject)
    const stop = async (reason: string) => {
      // In the order of the way in: nobody new, what runs comes to its end, then what it needs.
      await Promise.all([upkeep.backups.close(), mail.close(), admin.close()])
      await refusals.close()
      await recordChange({ type: 'GatewayStopped', data: { reason } }).catch((error: unknown) => {
        logger.warn({ err: error }, 'GatewayStopped was not recorded')
      })
      await cleanup.run()
      over.resolve(undefined)
    }
    let stopping: Promise<void> | undefined
    return {
      addresses: mail.listening,
      fingerprint: first.certificates[0].fingerprint,
      certificateCreated: first.created,
      firstPassword: newcomer && { file: paths.firstPassword, ...newcomer },
      hasMailboxes: listMailboxes(views.reader, { limit: 1 }).items.length > 0,
      closed: over.promise,
      reload: reload.configuration,
      stop: (reason) => (stopping ??= stop(reason)),
    }
  } catch (error) {
    await cleanup.run()
    throw asStartFailure(error, { data, ...placesOf(config) })
  }
}
