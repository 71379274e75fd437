import { certificateRecords, configuredCertificates } from '../certificates.ts'
import { type Config, configSha256 } from '../config.ts'
import { type Cause, stamper } from '../core/events.ts'
import { newSessionId } from '../core/ids.ts'
import { type EventLog, type Logger, systemClock } from '../core/ports.ts'
import { instanceOf, logPlaceOf, placesOf, recogniseDirectories } from '../dataDirectory.ts'
import { recordGateway } from '../gatewayRecord.ts'
import { keyFiles } from '../keys/keyFiles.ts'
import { standInListeners } from '../listeners.ts'
import { claimNode } from '../nodeClaim.ts'
import { authorities } from '../tls/authorities.ts'
import { openStandIns } from '../standIn.ts'
import { pastViews } from '../storage/history.ts'
import { startStorage } from '../storage/storage.ts'
import { openViews } from '../storage/views.ts'
import { watchFiles } from '../tls/watchFiles.ts'
import { waitingForLog } from '../waiting.ts'
import { servedByName } from '../wire/sni.ts'
import type { Cleanup } from './cleanup.ts'
import { ownAddresses } from './ownAddresses.ts'

export type GroundParts = {
  readonly config: Config
  readonly logger: Logger
  /** Ends the waiting for a log that cannot be reached; the start then rejects with `shutting-down`. */
  readonly signal?: AbortSignal | undefined
  /** Take the gateway's name from whatever data directory has it on this log. */
  readonly takeOver: boolean
  readonly cleanup: Cleanup
}

export type Ground = Awaited<ReturnType<typeof openGround>>

/**
 * What everything else stands on: the certificate, the log, vault and keys, the views; it resolves once the start is in
 * the log. Until then peers are told to come back later.
 */
export const openGround = async ({ config, logger, signal, takeOver, cleanup }: GroundParts) => {
  const { node, domain, loadBalancers } = config.gateway
  const paths = placesOf(config)
  recogniseDirectories(paths)
  const clock = systemClock
  const keys = keyFiles({ dir: paths.keys })
  const certificatesFor = configuredCertificates({ keys, clock, ownAddresses })
  const tls = { ...config.tls }
  const certificateFiles = await watchFiles(() => [...tls.certFile, ...tls.keyFile])
  cleanup.add(() => certificateFiles.close())
  const first = await certificatesFor(config)
  const { certificates } = first
  const served = {
    tls,
    certificates,
    limits: { ...config.limits },
    proxy: { ...config.proxy },
    smtp: config.smtp,
    clientAuthorities: authoritiesFor(config),
  }
  const pair = servedByName(() => served.certificates)
  const place = logPlaceOf(config)
  const standIn = () => openStandIns(standInListeners(config), { domain, tls: pair(), networks: loadBalancers })
  const waiting = waitingForLog({ standIn, logger, signal, mayReturn: place.engine !== 'sqlite' })
  cleanup.add(() => waiting.over())
  const vault = { engine: config.vault.engine, dir: paths.vault }
  const storage = await startStorage({ log: place, vault, keysDir: paths.keys, node }, waiting.onAway)
  cleanup.add(() => storage.close())
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
  cleanup.add(() => views.close())
  const history = pastViews({ log: place, domain, questions: config.limits.historyQuestions })
  cleanup.add(() => history.close())

  const recordStart = recordGateway({ log: patient, stamp, cause, node })
  const started = await recordStart({ type: 'GatewayStarted', data: { configSha256: configSha256(config) } })
  const records = certificateRecords(keys, node)
  if (first.created || !first.selfSigned) await records.add(certificates, recordStart)
  await waiting.over()
  return {
    config,
    logger,
    paths,
    clock,
    keys,
    /** The certificates of a configuration. */
    certificatesFor,
    /** Those that it was started with. */
    first,
    /** Who vouches for clients in a configuration. */
    authoritiesFor,
    certificateRecords: records,
    /** Not yet told of any change. */
    certificateFiles,
    /** What is in effect now; a configuration that is read again changes it. */
    served,
    /** Keys and certificates for who connects now. */
    pair,
    place,
    storage,
    log,
    stamp,
    /** Of what the gateway does on its own. */
    cause,
    views,
    history,
    /** GatewayStarted, as recorded. */
    started,
    cleanup,
  }
}

/** Throws `start-refused`. */
const authoritiesFor = ({ smtp: { clientCaFile } }: Config): readonly string[] =>
  clientCaFile === undefined ? [] : authorities({ setting: 'smtp.clientCaFile', file: clientCaFile })
