import { join } from 'node:path'
import type { CreatedMailbox, ScratchGateway } from '../../ops/scratchGateway.ts'
import { outputOf, type ScratchFiles } from './program.ts'

/** Programs that collect a mailbox and delete what they have; each gives its files as it wrote them. */
export type Collecting = {
  /** `way`: a name for its files. */
  fetchmail(mailbox: CreatedMailbox, way: string, service: string, tls: string): Promise<readonly Buffer[]>
  mpop(mailbox: CreatedMailbox, starttls: 'on' | 'off', port: number): Promise<readonly Buffer[]>
  getmail(mailbox: CreatedMailbox, name?: string): Promise<readonly Buffer[]>
}

export const collecting = (gateway: ScratchGateway, files: ScratchFiles): Collecting => {
  const certificate = join(gateway.data, 'admin.crt')
  return {
    fetchmail: async ({ mailboxId, password }, way, service, tls) => {
      const dir = files.makeDir(`fetchmail-${way}`)
      const config = files.write(
        `fetchmail-${way}.rc`,
        `set invisible\nset no syslog\npoll localhost protocol POP3 ${service}\n` +
          `  username "${mailboxId}" password "${password}" ${tls} sslcertck sslcertfile "${certificate}"\n` +
          `  nokeep no rewrite mda "cat > $(mktemp ${dir}/XXXXXX)"\n`,
      )
      const env = { FETCHMAILHOME: files.makeDir(`fetchmail-home-${way}`) }
      await outputOf('fetchmail', ['--nodetach', '--pidfile', `${config}.pid`, '--fetchmailrc', config], { env })
      return files.contents(`fetchmail-${way}`)
    },
    mpop: async ({ mailboxId, password }, starttls, port) => {
      const maildir = files.makeDir(`mpop-${starttls}`)
      for (const folder of ['cur', 'new', 'tmp']) files.makeDir(`mpop-${starttls}/${folder}`)
      const config = files.write(
        `mpoprc-${starttls}`,
        `account default\nhost localhost\nport ${port}\nuser ${mailboxId}\npassword "${password}"\n` +
          `tls on\ntls_starttls ${starttls}\ntls_trust_file ${certificate}\nkeep off\nreceived_header off\n` +
          `delivery maildir ${maildir}\nuidls_file ${join(files.dir, `mpop-uidls-${starttls}`)}\n`,
      )
      await outputOf('mpop', ['-C', config])
      return files.contents(`mpop-${starttls}/new`)
    },
    getmail: async ({ mailboxId, password }, name = 'getmail') => {
      const keep = `cat > $(mktemp ${files.makeDir(name)}/XXXXXX)`
      const config = files.write(
        `${name}rc`,
        `[retriever]\ntype = SimplePOP3SSLRetriever\nserver = localhost\nport = ${gateway.ports.pop3s}\n` +
          `username = ${mailboxId}\npassword = ${password}\nca_certs = ${certificate}\n` +
          // As root, getmail delivers to a command only, and only when told.
          `[destination]\ntype = MDA_external\npath = /bin/sh\narguments = ("-c", "${keep}")\nallow_root_commands = true\n` +
          `[options]\ndelete = true\ndelivered_to = false\nreceived = false\n`,
      )
      await outputOf('getmail', ['--rcfile', config, '--getmaildir', files.makeDir(`${name}-state`)])
      return files.contents(name)
    },
  }
}
