import type { Config } from '../config.ts'
import { refusals, requirements } from '../core/senderPolicy.ts'
import {
  domain,
  domains,
  duration,
  files,
  host,
  hostNames,
  httpsUrl,
  type Kind,
  logLevel,
  networks,
  nodeName,
  nodeNameOf,
  oneOf,
  optionalEmail,
  optionalFile,
  optionalMailbox,
  optionalPath,
  optionalStoreUrl,
  path,
  port,
  size,
  someOf,
  targets,
  wholeNumber,
} from './kinds.ts'

/** What the defaults depend on. */
export type Machine = { readonly hostname: string; readonly hasIpv6: boolean }

/** One key of the configuration: everything that is known about it. */
export type Setting<T> = {
  readonly kind: Kind<T>
  readonly default: (machine: Machine) => T
  /** What it is for, and why its default and bounds are what they are. */
  readonly reason: string
  /** A running gateway takes another value when its configuration is read again (SIGHUP). */
  readonly live?: true
}

/** Every section and key of `Config`, and no other. */
export type Settings = { readonly [S in keyof Config]: { readonly [K in keyof Config[S]]-?: Setting<Config[S][K]> } }

const setting = <T>(kind: Kind<T>, value: T, reason: string): Setting<T> => ({ kind, default: () => value, reason })
/** The same, live. */
const live = <T>(kind: Kind<T>, value: T, reason: string): Setting<T> => ({
  ...setting(kind, value, reason),
  live: true,
})
/** Every address, of both families where the machine has both: listening on `::` fails where IPv6 is switched off. */
const everyAddress = ({ hasIpv6 }: Machine) => (hasIpv6 ? '::' : '0.0.0.0')
const MiB = 2 ** 20

/** The one table of the configuration. Parsing, error texts, `config` and its help all derive from it. */
export const settings: Settings = {
  gateway: {
    domain: setting(
      domain,
      'localhost',
      'The domain of the mailbox addresses, of the greetings and of the certificate; localhost is good for a trial only.',
    ),
    data: setting(
      path,
      './data',
      'Where everything lies: log, vault, keys. A relative path is taken from the directory of the file that says it, or from the working directory.',
    ),
    node: {
      kind: nodeName,
      default: ({ hostname }) => nodeNameOf(hostname),
      reason: 'The name of this gateway in the log; by default made of the host name.',
    },
    loadBalancers: setting(
      networks,
      [],
      'Networks of load balancers: a connection from there to an SMTP or POP3 listener has to begin with a PROXY header (version 1 or 2), and counts as coming from the address that it names. None by default: who is listed here can say that he is anybody.',
    ),
    logLevel: live(
      logLevel,
      'info',
      'How much is written to standard error while serving. The event log is complete at every level.',
    ),
  },
  smtp: {
    host: {
      kind: host,
      default: everyAddress,
      reason:
        'The address to listen on; by default every one, because journal mail comes from other machines. What is open there takes mail for existing mailboxes only and relays nothing.',
    },
    port: setting(port, 2525, 'SMTP with STARTTLS. Above 1024 so that no privilege is needed; the world sends to 25.'),
    tlsPort: setting(port, 'off', 'SMTP with TLS from the first byte, for senders that are set up for it; few are.'),
    postmaster: setting(
      optionalMailbox,
      undefined,
      'The mailbox that receives mail for postmaster (RFC 5321 §4.5.1); without one it is put off with a 4xx.',
    ),
    senderChecks: setting(
      oneOf('off', 'record'),
      'off',
      'Whether the results of SPF (RFC 7208) and DKIM (RFC 6376) are recorded with each message that comes in; nothing is refused because of one. Off, because it asks the DNS about senders: the resolver, and who runs the DNS of the domains, learn that their mail has come here. It takes a tenth of the receive rate, or more.',
    ),
    networks: live(
      networks,
      [],
      'Networks from which both SMTP listeners take mail; without any, from everywhere. Others are refused at MAIL. Not for Microsoft 365 or Google, whose networks change.',
    ),
    requires: live(
      someOf(...requirements),
      [],
      'What every sender must show, whatever the mailbox: "tls", "certificate" (smtp.clientCaFile vouches for it), "token" (AUTH). A mailbox may ask for more (mailbox sender-policy).',
    ),
    certificateNames: live(
      hostNames,
      [],
      'Host names of which the client certificate must be for one; without any, where one is required, for whatever name. Names, because a certificate is renewed and a fingerprint is gone with it.',
    ),
    refusal: live(
      oneOf(...refusals),
      'temporary',
      'How senders are refused who do not show it: "temporary" (4xx), so that they keep the mail and a mistake made here loses none, or "permanent" (5xx).',
    ),
    clientCaFile: live(
      optionalFile,
      undefined,
      'Certificates (PEM) of the authorities that vouch for client certificates, or those certificates themselves; without it no client is asked for one. Read at the start and again on SIGHUP.',
    ),
  },
  submission: {
    host: {
      kind: host,
      default: everyAddress,
      reason:
        'The address that both listeners for mail clients listen on; by default every one. They are open only while proxy.targets lists servers, and take no password without TLS.',
    },
    port: setting(port, 2587, 'SMTP with STARTTLS for mail clients that send through the proxy; they expect 587.'),
  },
  smtps: {
    port: setting(
      port,
      2465,
      'SMTP with TLS from the first byte for mail clients that send through the proxy (RFC 8314 §3.3); they expect 465.',
    ),
  },
  pop3: {
    host: {
      kind: host,
      default: everyAddress,
      reason:
        'The address that both POP3 listeners listen on; by default every one, because archives run elsewhere. No password is taken without TLS.',
    },
    port: setting(port, 2110, 'POP3 with STLS.'),
  },
  pop3s: {
    port: setting(port, 2995, 'POP3 with TLS from the first byte (RFC 8314 §3.2).'),
  },
  admin: {
    host: setting(
      host,
      '127.0.0.1',
      'The address of the admin API; this machine only, because its token does what an administrator may do.',
    ),
    port: setting(port, 8450, 'The admin API over HTTPS; the command line needs it.'),
    metrics: setting(
      oneOf('token', 'open'),
      'token',
      'Who may read /metrics: whoever has the token, or ("open") everybody who reaches this listener. The figures tell how much mail there is, and name nobody.',
    ),
  },
  log: {
    engine: setting(
      oneOf('sqlite', 'eventstoredb'),
      'sqlite',
      'Where the event log is: one SQLite file in the data directory, or EventStoreDB 22.6 or later, which several gateways may share.',
    ),
    url: setting(
      optionalStoreUrl,
      undefined,
      'Where EventStoreDB is, with user and password; esdb+discover:// asks a cluster for its leader. With TLS unless it runs on this machine. Best said in the environment: one with a password is never printed.',
    ),
  },
  vault: {
    engine: setting(
      oneOf('packs', 'files'),
      'packs',
      'How sealed messages lie: in one file per day, for this gateway alone, or as a file each, in a directory that several gateways may share.',
    ),
    dir: setting(
      optionalPath,
      undefined,
      'Where sealed messages lie; without it in the data directory. Gateways on one log share this directory.',
    ),
  },
  keys: {
    dir: setting(
      optionalPath,
      undefined,
      'Where the sealed identities of the mailboxes and the certificate lie; without it in the data directory. Gateways on one log share this directory.',
    ),
  },
  tls: {
    mode: live(
      oneOf('self-signed', 'files', 'acme'),
      'self-signed',
      'Whose certificate peers see: one that the gateway makes for itself, known by its fingerprint; one of an authority, from files; or one that the gateway orders and renews (ACME). To or from "acme" needs a restart.',
    ),
    certFile: live(
      files,
      [],
      'With tls.mode = "files": the certificate (PEM), and behind it those between it and its authority, as certbot\'s fullchain.pem; of several the one for the name that a peer asks for is shown, else the first. Read at the start, when a file has changed, and on SIGHUP.',
    ),
    keyFile: live(
      files,
      [],
      'With tls.mode = "files": the key (PEM, without a passphrase) of the certificate; of several certificates each one\'s, in their order.',
    ),
  },
  acme: {
    host: {
      kind: host,
      default: everyAddress,
      reason: "The address on which the authority's questions (HTTP-01) are answered; by default every one.",
    },
    port: setting(
      port,
      80,
      'Open with tls.mode = "acme" only. An authority asks at port 80 and at no other: another one here needs something that forwards to it.',
    ),
    directory: setting(
      httpsUrl,
      'https://acme-v02.api.letsencrypt.org/directory',
      "The authority's directory (RFC 8555 §7.1.1); try with the one of its test system first, because orders are limited.",
    ),
    terms: setting(
      oneOf('not-agreed', 'agreed'),
      'not-agreed',
      "Whether you agree to the authority's terms of service; without it nothing is ordered.",
    ),
    email: setting(
      optionalEmail,
      undefined,
      'Where the authority may write to about the account; it need not be said.',
    ),
    names: setting(
      domains,
      [],
      'The names that the certificate is for; without any gateway.domain. With [mtaSts] on, mta-sts. and gateway.domain is among them by itself.',
    ),
    caFile: setting(
      optionalFile,
      undefined,
      'Certificates (PEM) that vouch for the server of an authority of your own; without it those that the system and Node know.',
    ),
  },
  mtaSts: {
    host: {
      kind: host,
      default: everyAddress,
      reason: 'The address on which the MTA-STS policy (RFC 8461) of gateway.domain is served; by default every one.',
    },
    port: setting(
      port,
      'off',
      'HTTPS for https://mta-sts.…/.well-known/mta-sts.txt; senders ask at 443. Off, because without the DNS record that announces it nobody asks.',
    ),
    mode: setting(
      oneOf('testing', 'enforce', 'none'),
      'testing',
      'What a sender does when TLS or the name is not right: it delivers and reports (testing), or does not deliver (enforce). Enforce once tls check finds nothing; none takes a policy back.',
    ),
    mx: setting(
      domains,
      [],
      'The host names to which senders may deliver, as the MX records name them; without any gateway.domain.',
    ),
    maxAge: setting(
      duration(0, 31_557_600),
      7 * 86_400,
      'For how long senders keep the policy; RFC 8461 §3.2 allows a year, and §2.1 asks for weeks. Longer protects better, and holds you to it.',
    ),
  },
  proxy: {
    targets: live(
      targets,
      [],
      "Servers of providers that mail clients may reach through the gateway; without a port on the protocols' own ports only. The proxy is off while none is listed. With * it dials whatever server a client names.",
    ),
    networks: setting(
      networks,
      [],
      "Networks that may be dialled although they are private, loopback or otherwise not public; the gateway's own listeners are never dialled.",
    ),
    caFile: setting(
      optionalFile,
      undefined,
      "Certificates (PEM) of the authorities that vouch for the providers' servers; without it those that the system and Node know.",
    ),
    connections: live(
      wholeNumber(1, 100_000),
      1000,
      "Clients' connections that reach for a remote server at once, of all listeners; 500 users with two each.",
    ),
    connectionsPerClient: live(
      wholeNumber(1, 100_000),
      500,
      'The same of one client address (an IPv6 /64); an office may stand behind one.',
    ),
    dialTimeout: setting(
      duration(1, 300),
      10,
      "Time for one port of a remote server: its name's addresses, the connection, TLS. Mail clients give up after 30 to 60 seconds.",
    ),
    loginTimeout: live(
      duration(1, 600),
      60,
      "Time from the remote server's greeting to the end of the login; some answer a wrong password only after many seconds.",
    ),
    holdTimeout: live(
      duration(1, 300),
      30,
      'Time for which the end of a message is held until its copy is durable; then the client is told to try again, and the message has not been sent.',
    ),
    replyTimeout: live(
      duration(1, 3600),
      600,
      'Time for the remote server to answer the end of a message; RFC 5321 §4.5.3.2.6 asks for ten minutes. Then the copy stays, and nobody knows whether the message was sent.',
    ),
    answerTimeout: live(
      duration(1, 3600),
      300,
      'Time for any other answer of the remote server; RFC 5321 §4.5.3.2 asks for up to five minutes.',
    ),
    bytesInFlight: live(
      size(16 * 1024, 64 * MiB),
      256 * 1024,
      'Octets of one connection that one side has sent and the other has not taken; beyond it the sending side waits.',
    ),
  },
  retention: {
    grace: setting(
      duration(0, 3650 * 86_400),
      7 * 86_400,
      'How long a message can be restored that was deleted over POP3; then it is destroyed, unless its mailbox is under a legal hold. A mailbox may have a time of its own.',
    ),
    sweep: setting(
      duration(1, 86_400),
      60,
      'How often it is looked for what is to be destroyed; what nobody misses yet can wait a minute.',
    ),
  },
  limits: {
    messageSize: live(
      size(64 * 1024, 2048 * MiB),
      200 * MiB,
      'Octets of one received message, announced as SIZE. Above the 150 MiB that Microsoft 365 can be set to; 64 KiB is the least that RFC 5321 §4.5.3.1.7 allows.',
    ),
    recipients: live(
      wholeNumber(1, 10_000),
      100,
      'Recipients of one SMTP transaction; RFC 5321 §4.5.3.1.8 asks for 100.',
    ),
    smtpSessions: live(
      wholeNumber(1, 100_000),
      1000,
      'SMTP connections at once, of all listeners; a further one is put off with a 4xx.',
    ),
    pop3Sessions: live(
      wholeNumber(1, 100_000),
      1000,
      'POP3 connections at once, of all listeners; archives need few, 500 users behind the proxy one or two each.',
    ),
    sessionsPerClient: live(
      wholeNumber(1, 100_000),
      500,
      'SMTP connections at once of one client address (an IPv6 /64), and as many POP3 connections; half of what all may have, so that no one address takes everything. Microsoft 365 sends from many addresses, a mail server opens some twenty; an office of 500 users may stand behind one.',
    ),
    messagesPerMinute: live(
      wholeNumber(1, 10_000_000),
      12_000,
      'Messages that one client address (an IPv6 /64) may begin within a minute; a further one is put off with a 4xx, and the sender tries again. 200 a second are the journal of some 100,000 users: what is above is a loop or an attack, or a migration, for which it may be raised.',
    ),
    smtpIdle: live(
      duration(1, 86_400),
      300,
      'Time of an SMTP peer for its next whole command, however it trickles, and time over which the rate of a message is averaged; RFC 5321 §4.5.3.2.7 asks for five minutes.',
    ),
    senderChecks: live(
      duration(1, 60),
      5,
      'Time for which one message is held up in all by smtp.senderChecks; what is not known by then is recorded as temperror. A sender waits ten minutes (RFC 5321 §4.5.3.2.6), but his connection is taken meanwhile.',
    ),
    pop3Idle: live(
      duration(1, 86_400),
      600,
      'The same of a POP3 peer, and of what it takes; RFC 1939 §3 asks for ten minutes.',
    ),
    tlsHandshake: live(
      duration(1, 600),
      60,
      'Time for a TLS handshake, however it trickles: a few kilobytes and two round trips, seconds on the slowest link.',
    ),
    slowestRate: live(
      wholeNumber(0, 1_000_000),
      100,
      'Octets a second, on the average of limits.smtpIdle or limits.pop3Idle, below which a peer that sends a message, or takes one, is cut; 0 for never. Seventy connections that share a line of 56 kbit/s are faster, and one that stands still for four minutes and goes on then is too.',
    ),
    bytesInFlight: live(
      size(MiB, 64 * 1024 * MiB),
      64 * MiB,
      'Octets of messages, of all connections, that are in memory on their way to the vault; beyond it nobody is read from for a while, and no message begun. Each message gathers at most its share of 4 MiB, and at least 48 KiB, before it is stored: a thousand that stand still are below it. What mail clients collect is held until it is known whether it is recorded already, while it is below the half.',
    ),
    logLag: live(
      duration(1, 600),
      30,
      'Time for which the storage may owe an answer, and what is known of mailboxes and senders may be behind the log, before no further message is begun; senders wait ten minutes for their 250 (RFC 5321 §4.5.3.2.6), so those that wait already can.',
    ),
    historyQuestions: setting(
      wholeNumber(1, 100),
      4,
      'Questions about the past (/v1/history) at once: one is worked on, because each folds the log anew, the others wait; a further one is answered with 503.',
    ),
    badCommands: live(
      wholeNumber(1, 10_000),
      20,
      'Commands that make no sense, after which an SMTP or POP3 connection is closed.',
    ),
    idleCommands: live(
      wholeNumber(1, 1_000_000),
      100,
      'Commands that are about no message (NOOP, RSET, EHLO, VRFY, HELP) from one message to the next, after which each counts in limits.badCommands: who does nothing else only holds a place. Postfix has as many (smtpd_junk_command_limit).',
    ),
    maildropLease: setting(
      duration(5, 3600),
      60,
      'How long a maildrop stays in use after the gateway that served it died, where several share the log; it is renewed three times in that time.',
    ),
    transcript: live(
      size(1024, 512 * 1024),
      64 * 1024,
      'Octets of the transcript of one SMTP or POP3 session, held in memory until it ends; what comes beyond is left out and the transcript says so. Enough for some 300 mails or 600 retrievals on one connection; an event is at most 900 KiB.',
    ),
    diskReserve: live(
      size(0, 1024 * 1024 * MiB),
      512 * MiB,
      'Room on the disks of data, vault and keys below which mail is put off with 452 before any of it is taken, and /readyz says that the gateway is not ready. What is left is for what is on its way, for what is recorded of collecting and deleting, and for making room; with 0 mail is taken until a disk is full.',
    ),
  },
}

/** One row of the table without its type: the section and key are known to exist, the value is the row's own. */
export type Row = {
  readonly section: string
  readonly key: string
  /** `section.key`, as errors name it. */
  readonly name: string
  /** The environment variable that sets it. */
  readonly variable: string
  readonly setting: Setting<unknown>
}

const snake = (text: string) => text.replaceAll(/[A-Z]/g, '_$&').toUpperCase()

/** The table, row by row, in the order in which it is written. */
export const rows: readonly Row[] = Object.entries(settings).flatMap(([section, keys]) =>
  Object.entries(keys).map(([key, setting]) => ({
    section,
    key,
    name: `${section}.${key}`,
    variable: `SEALPOST_${snake(section)}_${snake(key)}`,
    // The row's kind prints only what the same kind has read, or the same row's default.
    setting: setting as Setting<unknown>,
  })),
)
