import { chmodSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { programPath } from '../support/peers.ts'
import type { ScratchFiles } from './program.ts'

type Wish = {
  /** Where on this machine everything is delivered. */
  readonly port: number
  /** Further lines of the main section, and of the transport. */
  readonly main?: string
  readonly transport: string
}

/** Exim delivers as a user of its own. */
const openToAll = (dir: string) => {
  chmodSync(dir, 0o777)
  return dir
}

/** A configuration of Exim, and where it keeps what it was given and its log. */
export const eximConfiguration = (files: ScratchFiles, { port, main = '', transport }: Wish) => {
  chmodSync(files.dir, 0o755)
  const spool = openToAll(files.makeDir('exim-spool'))
  const log = openToAll(files.makeDir('exim-log'))
  const config = files.write(
    'exim.conf',
    `exim_path = ${realpathSync(programPath('exim4') ?? '')}
keep_environment =
primary_hostname = sender.example
spool_directory = ${spool}
log_file_path = ${log}/%s
received_header_text =
${main}
begin routers
gateway:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = gateway
begin transports
gateway:
  driver = smtp
  allow_localhost
  port = ${port}
${transport}
`,
  )
  chmodSync(config, 0o644)
  return { config, input: join(spool, 'input'), log: join(log, 'main') }
}
