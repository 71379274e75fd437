import type { Command } from './command.ts'
import { config } from './config.ts'
import { events } from './events.ts'
import { fsck } from './fsck.ts'
import { mailboxClientSetup } from './mailboxClientSetup.ts'
import { mailboxCreate } from './mailboxCreate.ts'
import { mailboxIdentity } from './mailboxIdentity.ts'
import { mailboxList } from './mailboxList.ts'
import { mailboxProxy } from './mailboxProxy.ts'
import { mailboxResume } from './mailboxResume.ts'
import { mailboxShow } from './mailboxShow.ts'
import { mailboxSuspend } from './mailboxSuspend.ts'
import { messageList } from './messageList.ts'
import { messageShow } from './messageShow.ts'
import { open } from './open.ts'
import { replaySession } from './replaySession.ts'
import { replay } from './replay.ts'
import { sealed } from './sealed.ts'
import { serve } from './serve.ts'
import { status } from './status.ts'

/** Every command, in the order in which help lists them. */
export const commands: readonly Command[] = [
  serve,
  status,
  mailboxCreate,
  mailboxList,
  mailboxShow,
  mailboxSuspend,
  mailboxResume,
  mailboxProxy,
  mailboxClientSetup,
  mailboxIdentity,
  messageList,
  messageShow,
  open,
  sealed,
  events,
  replaySession,
  replay,
  fsck,
  config,
]
