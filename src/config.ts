import { type MailboxId } from './core/ids.ts'

/** A TCP port; 0 lets the system choose; `off` turns the listener off. */
export type Port = number | 'off'

/** The effective configuration: validated, frozen. */
export type Config = {
  readonly gateway: { readonly domain: string; readonly data: string; readonly node: string }
  readonly smtp: {
    readonly host: string
    readonly port: Port
    /** Implicit TLS for journal senders. */
    readonly tlsPort: Port
    /** Mailbox that receives mail for `postmaster`; none refuses it with a 4xx. */
    readonly postmaster: MailboxId | undefined
  }
  readonly pop3: { readonly host: string; readonly port: Port }
  readonly pop3s: { readonly port: Port }
  readonly admin: { readonly host: string; readonly port: Port }
  readonly limits: Limits
}

export type Limits = {
  /** Octets of one received message. */
  readonly messageSize: number
  /** Recipients of one SMTP transaction. */
  readonly recipients: number
  /** SMTP connections at once, of all listeners. */
  readonly smtpSessions: number
  /** POP3 connections at once, of all listeners. */
  readonly pop3Sessions: number
  /** Seconds without a byte after which an SMTP connection is closed. */
  readonly smtpIdle: number
  /** Seconds without a byte after which a POP3 connection is closed. */
  readonly pop3Idle: number
  /** Commands that make no sense, after which an SMTP or POP3 connection is closed. */
  readonly badCommands: number
}
