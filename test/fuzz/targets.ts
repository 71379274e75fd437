import type { OpenTarget } from './target.ts'

/** Each is loaded only when it is tried. */
export type Targets = Readonly<Record<string, () => OpenTarget | Promise<OpenTarget>>>

export const targets: Targets = {
  proxyHeader: async () => (await import('./proxyHeader.ts')).proxyHeader,
  smtpCommands: async () => (await import('./smtpCommands.ts')).smtpCommands,
  smtpBody: async () => (await import('./smtpBody.ts')).smtpBody,
  pop3Commands: async () => (await import('./pop3Commands.ts')).pop3Commands,
  sasl: async () => (await import('./sasl.ts')).sasl,
  names: async () => (await import('./names.ts')).names,
  sealed: async () => (await import('./sealed.ts')).sealed,
  remoteReplies: async () => (await import('./remoteReplies.ts')).remoteReplies,
  remotePop3: async () => (await import('./remotePop3.ts')).remotePop3,
  pageCursors: async () => (await import('./pageCursors.ts')).pageCursors,
  configFiles: async () => (await import('./configFiles.ts')).configFiles,
  machines: async () => (await import('./machines.ts')).machines,
  smtpSession: async () => (await import('./smtpSession.ts')).smtpSession,
  submissionSession: async () => (await import('./submissionSession.ts')).submissionSession,
  pop3Session: async () => (await import('./pop3Session.ts')).pop3Session,
  pop3Proxied: async () => (await import('./pop3Proxied.ts')).pop3Proxied,
  gateway: async () => (await import('./gateway.ts')).gateway,
  pemFiles: async () => (await import('./pemFiles.ts')).pemFiles,
  api: async () => (await import('./api.ts')).api,
  senderChecks: async () => (await import('./senderChecks.ts')).senderChecks,
  storedEvents: async () => (await import('./storedEvents.ts')).storedEvents,
}
