import type { Role } from './access.ts'
import type { EventId, MailboxId, MessageId, Position, SenderId, SessionId, VaultKey } from './ids.ts'
import type { Refusal, Requirement } from './senderPolicy.ts'
import type { StreamName } from './streams.ts'

/** How a message came in. */
export type Source = 'journal' | 'smtp-proxy' | 'pop3-proxy'
/** What a peer speaks; `submission` and `submissions` (RFC 8314 §7.3) are those of mail clients that send through the proxy. */
export type PeerProtocol = 'smtp' | 'smtps' | 'submission' | 'submissions' | 'pop3' | 'pop3s'
/** What a gateway's own connection to a remote server speaks, on behalf of a client. */
export type ProxyProtocol = 'smtp-proxy' | 'pop3-proxy'
export type Protocol = PeerProtocol | ProxyProtocol
export type ProxyMechanism = 'USER' | 'PLAIN' | 'LOGIN' | 'XOAUTH2' | 'OAUTHBEARER'
/** What protected the peer's connection; null when nothing did. */
export type TlsFacts = { readonly version: string; readonly cipher: string } | null
/** What the domain of the reverse-path (or of EHLO) says of the peer's address (RFC 7208 §2.6). */
export type SpfResult = 'pass' | 'fail' | 'softfail' | 'neutral' | 'none' | 'temperror' | 'permerror'
/** What a signature is worth (RFC 8601 §2.7.1); `policy`: it was not looked at, or covers a part of the body alone. */
export type DkimResult = 'pass' | 'fail' | 'policy' | 'neutral' | 'temperror' | 'permerror'
/** What was found out about the sender of a message. Results only: no domain, no address. */
export type SenderChecks = {
  readonly spf: SpfResult
  /** Of each DKIM signature, in the order of the header; none: not signed. */
  readonly dkim: readonly DkimResult[]
}
export type LoginRefusal = 'wrong-password' | 'too-many-attempts' | 'in-use' | 'unavailable'
const sessionOutcomes = ['quit', 'lost', 'timeout', 'refused', 'shutdown', 'failed'] as const
export type SessionOutcome = (typeof sessionOutcomes)[number]
export const isSessionOutcome = (text: string): text is SessionOutcome => sessionOutcomes.some((one) => one === text)

/** A file that holds an identity, and what opens it: the mailbox password, or the identity of another generation. */
export type WrappedIdentity = {
  readonly generation: number
  /** SHA-256, hex, of the file. */
  readonly sha256: string
  readonly wrappedTo: 'password' | number
}

/**
 * Every fact that the gateway records, and its data. The log holds no content, no secret and no correspondent:
 * ids, sizes, digests, peers' IP addresses, and the names, aliases and reasons that administrators type.
 */
export type EventData = {
  MailboxCreated: {
    readonly mailboxId: MailboxId
    readonly name: string
    readonly aliases: readonly string[]
    /** age recipient (`age1…`) under which new mail is sealed. */
    readonly recipient: string
    readonly generation: number
    /** SHA-256, hex, of the passphrase-encrypted identity file. */
    readonly identitySha256: string
    /** SHA-256, hex, of the key under which its creation was asked for, and of what was asked for. */
    readonly idempotency?: { readonly keySha256: string; readonly requestSha256: string }
    /** The age recipient to whom the identity is wrapped as well, and the SHA-256, hex, of that file. */
    readonly recovery?: { readonly recipient: string; readonly sha256: string }
  }
  MailboxRenamed: { readonly mailboxId: MailboxId; readonly name: string }
  /** Whose an address is, its own stream says: AliasReserved comes before this, AliasReleased after it. */
  MailboxAliasesChanged: {
    readonly mailboxId: MailboxId
    readonly added: readonly string[]
    readonly removed: readonly string[]
  }
  MailboxSuspended: { readonly mailboxId: MailboxId; readonly reason: string }
  MailboxResumed: { readonly mailboxId: MailboxId }
  /** A legal hold: from here to HoldReleased nothing of the mailbox is destroyed. */
  HoldPlaced: { readonly mailboxId: MailboxId; readonly reason: string }
  HoldReleased: { readonly mailboxId: MailboxId; readonly reason: string }
  /**
   * Its messages up to `through` in the log leave the maildrop and are destroyed, its identities after them. What was
   * recorded later nobody has looked at, and it stays.
   */
  MailboxDeleted: { readonly mailboxId: MailboxId; readonly reason: string; readonly through: Position }
  /** Somebody wanted to delete it and may not; its own stream, and so its revision, is as it was. */
  MailboxDeletionRefused: {
    readonly mailboxId: MailboxId
    readonly because: 'mailbox-conflict' | 'mailbox-held' | 'mailbox-not-empty'
  }
  /** The identities of a deleted mailbox are no more: no copy of its mail can be opened with what the gateway has. */
  MailboxDestroyed: { readonly mailboxId: MailboxId }
  /**
   * A mailbox that addresses were reserved for and that was never created: it never will be, so that whoever wrote this may
   * have them.
   */
  MailboxAbandoned: { readonly mailboxId: MailboxId }
  /** From here on these files hold the identities, in place of those that were named before. */
  MailboxPasswordChanged: { readonly mailboxId: MailboxId; readonly identities: readonly WrappedIdentity[] }
  /** The same, by whoever holds the recovery identity or an identity of the mailbox itself, and no password. */
  MailboxRecovered: { readonly mailboxId: MailboxId; readonly identities: readonly WrappedIdentity[] }
  /** New mail is sealed under a new generation; the older identities that the password opens are wrapped to its recipient. */
  MailboxKeyRotated: {
    readonly mailboxId: MailboxId
    readonly generation: number
    readonly recipient: string
    readonly identities: readonly WrappedIdentity[]
    /** SHA-256, hex, of the new identity wrapped to the recovery recipient, where the mailbox has one. */
    readonly recoverySha256?: string
  }
  /** New mail is sealed under a new generation with a new password; what opened older mail goes on to, and nothing else does. */
  MailboxPasswordReset: {
    readonly mailboxId: MailboxId
    readonly generation: number
    readonly recipient: string
    readonly identitySha256: string
    readonly recoverySha256?: string
  }
  /** To whom identities are wrapped as well from now on, and the files of those generations that this is so of already. */
  MailboxRecoverySet: {
    readonly mailboxId: MailboxId
    /** age recipient; null: nobody. */
    readonly recipient: string | null
    /** SHA-256, hex; null without a recipient. */
    readonly files: readonly { readonly generation: number; readonly sha256: string | null }[]
  }
  /** Seconds after which a message that left the maildrop is destroyed; null: what is configured. */
  MailboxRetentionSet: { readonly mailboxId: MailboxId; readonly grace: number | null }
  /** A message is in the maildrop again that had left it. */
  MessageRestored: { readonly mailboxId: MailboxId; readonly messageId: MessageId }
  /** From here on the messages' objects are removed. In the mailbox's own stream, so that it cannot pass a HoldPlaced. */
  PurgeDecided: { readonly mailboxId: MailboxId; readonly messageIds: readonly MessageId[] }

  /** Whom its mail clients may reach through the proxy, and from where, beyond what holds for all; empty limits nothing. */
  MailboxProxyLimited: {
    readonly mailboxId: MailboxId
    /** As `parseTargetPattern` writes them. */
    readonly targets: readonly string[]
    /** As `parseNetwork` writes them. */
    readonly networks: readonly string[]
  }

  /** From whom it takes mail, beyond what the listeners ask of all. */
  MailboxSenderPolicySet: {
    readonly mailboxId: MailboxId
    /** As `parseNetwork` writes them; empty: from every address. */
    readonly networks: readonly string[]
    readonly requires: readonly Requirement[]
    /** Host names of which a client certificate must be for one. */
    readonly certificateNames: readonly string[]
    readonly refusal: Refusal
  }

  AliasReserved: { readonly mailboxId: MailboxId; readonly alias: string }
  AliasReleased: { readonly mailboxId: MailboxId; readonly alias: string }

  MessageReceived: {
    readonly messageId: MessageId
    readonly mailboxId: MailboxId
    /** Octets of the plaintext: the trace prefix and the received bytes. */
    readonly size: number
    /** Octets of the same on a POP3 wire, dot-stuffing not counted (RFC 1939 §11). */
    readonly wireSize: number
    readonly source: Source
    readonly sessionId: SessionId
    readonly tls: TlsFacts
    /** Whose token the sender has shown. */
    readonly senderId?: SenderId
    /** The server that a proxy connection had dialled for it, `name:port`. */
    readonly target?: string
    /** Keyed digests (HMAC-SHA256, hex) by which a proxy knows a message again: of where it lies, and of its octets. */
    readonly fingerprint?: { readonly origin: string; readonly content: string }
    /** Where `smtp.senderChecks` records them. */
    readonly senderChecks?: SenderChecks
  }
  MessageSealed: {
    readonly messageId: MessageId
    readonly mailboxId: MailboxId
    readonly object: VaultKey
    readonly generation: number
    readonly sealedSize: number
    /** SHA-256, hex, of the sealed object: age does not say who sealed, the log does. */
    readonly sealedSha256: string
  }
  /** The remote server has taken what a client sent through the proxy; `unknown`: it did not say, and may have. */
  MessageRelayed: {
    readonly messageId: MessageId
    readonly mailboxId: MailboxId
    readonly outcome: 'accepted' | 'unknown'
    /** The server's reply code; null when none came. */
    readonly code: number | null
  }
  /**
   * It has refused it, or was never sent its end (451, or what it said instead): nobody was sent that message, and nobody
   * retrieves it.
   */
  MessageRelayRefused: { readonly messageId: MessageId; readonly mailboxId: MailboxId; readonly code: number }
  MessageRetrieved: { readonly messageId: MessageId; readonly mailboxId: MailboxId; readonly sessionId: SessionId }
  /** A sealed object that was asked for was missing or not the one the log names. Its end was not released. */
  MessageUnreadable: {
    readonly messageId: MessageId
    readonly mailboxId: MailboxId
    readonly sessionId: SessionId
    readonly reason: 'missing' | 'corrupt'
  }

  /** Its object is no more. */
  MessagePurged: { readonly messageId: MessageId; readonly mailboxId: MailboxId }

  /** A session holds the maildrop until `seconds` after this event's own time in the log, or renews it before then. */
  LeaseTaken: {
    readonly mailboxId: MailboxId
    readonly sessionId: SessionId
    /** Greater with every new holder. */
    readonly fence: number
    readonly seconds: number
  }
  /** One QUIT, all its deletions. */
  MaildropUpdated: {
    readonly mailboxId: MailboxId
    readonly sessionId: SessionId
    readonly deleted: readonly MessageId[]
    /** Of the lease under which it was written, where several gateways share the log. */
    readonly fence?: number
  }
  LeaseReleased: { readonly mailboxId: MailboxId; readonly sessionId: SessionId; readonly fence: number }

  SessionOpened: { readonly protocol: PeerProtocol; readonly remoteAddress: string; readonly tls: TlsFacts }
  /** The first event of a proxy connection: a remote server has taken the client's login. */
  ProxyConnected: {
    readonly clientSessionId: SessionId
    readonly protocol: ProxyProtocol
    /** As dialled, `name:port`. */
    readonly target: string
    readonly remoteAddress: string
    readonly tls: TlsFacts
    readonly mechanism: ProxyMechanism
  }
  LoginAccepted: { readonly mailboxId: MailboxId; readonly tls: TlsFacts }
  LoginRefused: { readonly mailboxId: MailboxId; readonly reason: LoginRefusal }
  SessionClosed: {
    readonly outcome: SessionOutcome
    /** Null, all that follows, when a crash took it: the next start has closed the session. */
    readonly octetsIn: number | null
    readonly octetsOut: number | null
    /** What the session's machine was told and how it reacted, in the canonical form (ops/docs/format.md). */
    readonly transcript: string | null
    /** SHA-256, hex, of the transcript's octets. */
    readonly transcriptSha256: string | null
  }

  /** A gateway's name belongs to the data directory of that id from now on, and to no other. */
  NodeClaimed: { readonly node: string; readonly instance: string }
  GatewayStarted: { readonly configSha256: string }
  /** A running gateway has read its configuration again; of all that is in effect now, the digest. */
  GatewayReconfigured: { readonly configSha256: string }
  GatewayStopped: { readonly reason: string }
  /** A whole backup, of the log up to and with `through` and of all that it names. Where it lies is not said. */
  BackupMade: { readonly through: Position; readonly files: number; readonly octets: number }
  CertificateInstalled: { readonly fingerprint: string; readonly names: readonly string[]; readonly notAfter: string }
  /** Somebody may log in from now on, first with a password that whoever added him has seen; until then, ISO 8601. */
  AdministratorAdded: {
    readonly name: string
    readonly role: Role
    /** Names the password, of which the key store has a hash. */
    readonly credential: string
    readonly oneTimeUntil: string
  }
  /** By himself, or (`oneTimeUntil`) by somebody else for once. The one before opens nothing any more. */
  AdministratorPasswordChanged: {
    readonly name: string
    readonly credential: string
    readonly oneTimeUntil: string | null
  }
  AdministratorRemoved: { readonly name: string }
  TokenIssued: {
    readonly tokenId: string
    readonly name: string | null
    readonly role: Role
    /** Those that it may know of; null: all. */
    readonly mailboxes: readonly MailboxId[] | null
    readonly expires: string | null
  }
  TokenRevoked: { readonly tokenId: string }
  /** A token with which somebody sends mail to these mailboxes; null: to all. */
  SenderTokenIssued: {
    readonly senderId: SenderId
    readonly name: string | null
    readonly mailboxes: readonly MailboxId[] | null
  }
  SenderTokenRevoked: { readonly senderId: SenderId }
  /**
   * Somebody read what tells about others: records of the log, or a mail. `sealed`: the sealed object; `plaintext`: opened,
   * which is a MessageRetrieved too unless only a part was. Readings of one thing one after the other are one.
   */
  RecordOpened: {
    readonly record: 'events' | 'history' | 'sessions' | 'messages' | 'message' | 'sealed' | 'plaintext'
    readonly mailboxId?: MailboxId
    readonly messageId?: MessageId
    /** Of the plaintext, where it was not the whole. */
    readonly part?: 'headers'
    /** What the one who opened it has typed. */
    readonly reason?: string
  }
  /** The passphrase-encrypted identities of these generations have left the gateway. */
  IdentityExported: { readonly mailboxId: MailboxId; readonly generations: readonly number[] }

  /** Refusals too many or too anonymous to be events of their own, per source address and minute (UTC, ISO 8601). */
  RefusalsCounted: {
    readonly source: string
    readonly minute: string
    readonly counts: Readonly<Record<string, number>>
  }
}

export type EventType = keyof EventData

/** The current version of each event's shape. A changed shape raises it and brings an upcast. */
export const eventVersions: Readonly<Record<EventType, number>> = {
  MailboxCreated: 3,
  MailboxRenamed: 1,
  MailboxAliasesChanged: 1,
  MailboxSuspended: 1,
  MailboxResumed: 1,
  MailboxProxyLimited: 1,
  MailboxSenderPolicySet: 1,
  MailboxPasswordChanged: 1,
  MailboxRecovered: 1,
  MailboxKeyRotated: 1,
  MailboxPasswordReset: 1,
  MailboxRecoverySet: 1,
  HoldPlaced: 1,
  HoldReleased: 1,
  MailboxDeleted: 1,
  MailboxDeletionRefused: 1,
  MailboxDestroyed: 1,
  MailboxAbandoned: 1,
  MailboxRetentionSet: 1,
  MessageRestored: 1,
  PurgeDecided: 1,
  AliasReserved: 1,
  AliasReleased: 1,
  MessageReceived: 4,
  MessageSealed: 1,
  MessageRelayed: 1,
  MessageRelayRefused: 1,
  MessageRetrieved: 1,
  MessageUnreadable: 1,
  MessagePurged: 1,
  LeaseTaken: 1,
  MaildropUpdated: 1,
  LeaseReleased: 1,
  SessionOpened: 2,
  ProxyConnected: 1,
  LoginAccepted: 1,
  LoginRefused: 1,
  SessionClosed: 2,
  NodeClaimed: 1,
  GatewayStarted: 1,
  GatewayReconfigured: 1,
  GatewayStopped: 1,
  BackupMade: 1,
  CertificateInstalled: 1,
  AdministratorAdded: 1,
  AdministratorPasswordChanged: 1,
  AdministratorRemoved: 1,
  TokenIssued: 1,
  TokenRevoked: 1,
  SenderTokenIssued: 1,
  SenderTokenRevoked: 1,
  RecordOpened: 1,
  IdentityExported: 1,
  RefusalsCounted: 1,
}

/** A fact, in the past tense. */
export type Fact<T extends EventType = EventType> = {
  [K in T]: { readonly type: K; readonly data: EventData[K] }
}[T]

/** Who caused an event; `local`: a user of the gateway's own machine, by the token that lies there. */
export type Principal = 'system' | `peer:${string}` | `administrator:${string}` | `token:${string}` | `local:${string}`

/** Why an event happened: who, in which session or request, after which event or command. */
export type Cause = {
  readonly principal: Principal
  readonly correlationId: string
  readonly causationId: string
  /** The IP address from which a request to the API came. */
  readonly source?: string
}

/** `$…` are EventStoreDB's reserved names. `at` is the gateway's clock, ISO 8601 with milliseconds. */
export type Metadata = {
  readonly at: string
  readonly principal: Principal
  readonly $correlationId: string
  readonly $causationId: string
  readonly node: string
  readonly version: number
  /** The IP address from which a request to the API came that caused it. */
  readonly source?: string
}

/** A fact on its way into the log. */
export type NewEvent = Fact & { readonly metadata: Metadata }

/** A fact as the log holds it. */
export type Recorded<T extends EventType = EventType> = Fact<T> & {
  readonly id: EventId
  readonly stream: StreamName
  /** 0 for the first event of its stream. */
  readonly revision: number
  readonly position: Position
  /** The log's own clock, ISO 8601. */
  readonly recordedAt: string
  readonly metadata: Metadata
}

/** Makes metadata of a cause; the one place where a fact gets its time, node and version. */
export type Stamp = (fact: Fact, cause: Cause) => NewEvent

export const stamper =
  (node: string, now: () => Date): Stamp =>
  (fact, { principal, correlationId, causationId, source }) => ({
    ...fact,
    metadata: {
      at: now().toISOString(),
      principal,
      $correlationId: correlationId,
      $causationId: causationId,
      node,
      version: eventVersions[fact.type],
      ...(source !== undefined && { source }),
    },
  })
