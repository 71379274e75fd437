import { mailboxNamed } from '../../projections/mailboxes.ts'
import { recordedFrom } from '../../projections/messages.ts'
import type { Config } from '../config.ts'
import { GatewayError } from '../core/errors.ts'
import { currentMailboxes } from '../currentMailboxes.ts'
import { guessingGuard, officeBurst } from '../keys/guessingGuard.ts'
import { type Address, pop3Listeners, smtpListeners, submissionListeners } from '../listeners.ts'
import type { Login } from '../login.ts'
import { openMaildrops } from '../maildrop.ts'
import { leasedLock, type LeaseParts } from '../maildropLease.ts'
import { localLock, type MaildropLock } from '../maildropLock.ts'
import { onlyActive } from '../onlyActive.ts'
import { startPop3 } from '../pop3/pop3Server.ts'
import { openFingerprints } from '../proxy/fingerprint.ts'
import { openPop3Proxies } from '../proxy/pop3Proxy.ts'
import { openSmtpProxies } from '../proxy/smtpProxy.ts'
import { startProxies } from '../proxy/start.ts'
import { recordRelays } from '../relays.ts'
import { openSenderChecker } from '../senderChecks/senderChecks.ts'
import { recordSessions } from '../sessions.ts'
import { watchMailboxes } from '../storage/mailboxesLag.ts'
import { startSmtp } from '../smtp/smtpServer.ts'
import { startSubmission } from '../smtp/submissionServer.ts'
import { caughtUp, snapshotOf } from '../snapshot.ts'
import type { Ground } from './ground.ts'
import { leastFree } from '../disk/condition.ts'
import { watchPressure } from '../pressure.ts'
import { octetsInFlight } from '../wire/flight.ts'
import { servedByName } from '../wire/sni.ts'
import { openSenders } from './openSenders.ts'
import { ownAddresses } from './ownAddresses.ts'
import type { Refusing } from './refusing.ts'

/** Milliseconds that running transactions have when the gateway stops. */
const grace = 10_000

type MailParts = Pick<Refusing, 'metrics' | 'refused'> & { readonly login: Login }

export type MailServers = Awaited<ReturnType<typeof startMailServers>>

/** What peers speak to: SMTP, submission and POP3, each way in sealing into the same archive. */
export const startMailServers = async (ground: Ground, { metrics, refused, login }: MailParts) => {
  const { config, keys, paths, served, place, storage, log, stamp, views, clock, logger, cleanup } = ground
  const { domain, loadBalancers: networks } = config.gateway
  const named = (name: string) => {
    const mailbox = mailboxNamed(views.reader, domain, name)
    // A view that is behind the log does not prove that there is none.
    if (!mailbox && !views.status().mailboxesKnown) throw new GatewayError('storage-failed')
    return mailbox?.state === 'deleted' || mailbox?.state === 'destroyed' ? undefined : mailbox
  }
  // Whoever was locked out, or is gone, would go on for as long as nothing is heard of it.
  const mailboxes = watchMailboxes({ log, position: () => views.status().mailboxesPosition })
  cleanup.add(() => mailboxes.close())
  const active = onlyActive(storage.archive, (mailboxId) => {
    if (mailboxes.seconds() > served.limits.logLag) throw new GatewayError('storage-failed')
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
  const senders = openSenders(ground, { refused, current })
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
  const sessions = recordSessions(log, stamp, logger)
  const flight = octetsInFlight(() => served.limits.bytesInFlight, storage.octets)
  const { putOff, close } = watchPressure({
    limits: served.limits,
    free: () => leastFree([config.gateway.data, paths.vault, paths.keys]),
    isFull: flight.isFull,
    lag: () => Math.max(storage.lag(), mailboxes.seconds()),
    clock,
  })
  cleanup.add(close)
  const shared = {
    domain,
    loadBalancers: { networks, refused },
    limits: served.limits,
    tls: ground.pair,
    sessions,
    refused,
    putOff,
    logger,
    clock,
  }
  const checker =
    config.smtp.senderChecks === 'record'
      ? openSenderChecker({ wait: () => served.limits.senderChecks, logger })
      : undefined
  cleanup.add(() => checker?.close())
  const smtp = await startSmtp({
    ...shared,
    checkSender: checker?.check,
    listeners: smtpListeners(config),
    postmaster: config.smtp.postmaster,
    archive,
    flight,
    resolve: (address) => {
      const found = named(address)
      return found && { ...found, suspended: found.state === 'suspended' }
    },
    current,
    senders,
    senderPolicy: () => served.smtp,
    // Whichever certificate a client names, the same authorities vouch for him.
    tls: servedByName(
      () => served.certificates,
      () => served.clientAuthorities,
    ),
    clientAuthorities: () => served.clientAuthorities,
  })
  listening.push(...smtp.addresses)
  cleanup.add(() => smtp.close(grace))
  const relays = recordRelays({ log, stamp, logger })
  cleanup.add(() => relays.close())
  const forwarding = { proxies, archive, flight, settings: served.proxy }
  const submission = await startSubmission({
    ...shared,
    listeners: submissionListeners(config),
    proxies: openSmtpProxies({ ...shared, ...forwarding, relays }),
  })
  listening.push(...submission.addresses)
  cleanup.add(() => submission.close(grace))
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
  cleanup.add(() => pop3.close(grace))
  return {
    /** Where the gateway listens; whoever listens later adds itself. */
    listening,
    proxies,
    senders,
    connections: () => ({
      smtp: smtp.connections(),
      submission: submission.connections(),
      pop3: pop3.connections(),
    }),
    /** Of the address that has the most. */
    connectionsOfOne: () => ({
      smtp: smtp.connectionsOfOne(),
      submission: submission.connectionsOfOne(),
      pop3: pop3.connectionsOfOne(),
    }),
    bytesInFlight: flight.octets,
    /** The certificate, or who vouches for clients, has changed. */
    renew: () => {
      for (const server of [smtp, submission]) server.renew()
    },
    close: async () => {
      await Promise.all([smtp.close(grace), submission.close(grace), pop3.close(grace)])
    },
  }
}

/** A log in one file has one gateway. */
const lockOf = (
  { log: { engine }, gateway: { node }, limits }: Config,
  parts: Omit<LeaseParts, 'node' | 'seconds'>,
): MaildropLock =>
  engine === 'sqlite' ? localLock(parts) : leasedLock({ ...parts, node, seconds: limits.maildropLease })
