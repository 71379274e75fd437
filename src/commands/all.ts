import { adminAdd, adminList, adminPassword, adminRemove, adminReset } from './administrators.ts'
import { backup } from './backup.ts'
import { backupVerify } from './backupVerify.ts'
import type { Command } from './command.ts'
import { config } from './config.ts'
import { events } from './events.ts'
import { fsck } from './fsck.ts'
import {
  mailboxAlias,
  mailboxDelete,
  mailboxHold,
  mailboxProxy,
  mailboxRelease,
  mailboxRename,
  mailboxResume,
  mailboxRetention,
  mailboxSenderPolicy,
  mailboxSuspend,
} from './mailboxChanges.ts'
import { mailboxClientSetup } from './mailboxClientSetup.ts'
import { mailboxCreate } from './mailboxCreate.ts'
import { mailboxIdentity } from './mailboxIdentity.ts'
import {
  mailboxPassword,
  mailboxRecover,
  mailboxRecovery,
  mailboxResetPassword,
  mailboxRotateKey,
} from './mailboxKeys.ts'
import { mailboxList } from './mailboxList.ts'
import { mailboxShow } from './mailboxShow.ts'
import { messageList } from './messageList.ts'
import { messageShow } from './messageShow.ts'
import { messageRestore } from './messageRestore.ts'
import { open } from './open.ts'
import { replaySession } from './replaySession.ts'
import { replay } from './replay.ts'
import { sealed } from './sealed.ts'
import { senderIssue, senderList, senderRevoke } from './senders.ts'
import { serve } from './serve.ts'
import { sessionList } from './sessionList.ts'
import { sessionShow } from './sessionShow.ts'
import { statistics } from './statistics.ts'
import { status } from './status.ts'
import { tlsCheck } from './tlsCheck.ts'
import { tokenIssue, tokenList, tokenRevoke } from './tokens.ts'

/** Every command, in the order in which help lists them. */
export const commands: readonly Command[] = [
  serve,
  status,
  mailboxCreate,
  mailboxList,
  mailboxShow,
  mailboxRename,
  mailboxAlias,
  mailboxSuspend,
  mailboxResume,
  mailboxHold,
  mailboxRelease,
  mailboxRetention,
  mailboxDelete,
  mailboxProxy,
  mailboxSenderPolicy,
  mailboxClientSetup,
  mailboxPassword,
  mailboxRotateKey,
  mailboxResetPassword,
  mailboxRecovery,
  mailboxRecover,
  mailboxIdentity,
  messageList,
  messageShow,
  messageRestore,
  open,
  sealed,
  events,
  sessionList,
  sessionShow,
  statistics,
  replaySession,
  replay,
  tokenIssue,
  tokenList,
  tokenRevoke,
  senderIssue,
  senderList,
  senderRevoke,
  adminAdd,
  adminList,
  adminPassword,
  adminRemove,
  adminReset,
  fsck,
  backup,
  backupVerify,
  tlsCheck,
  config,
]
