import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Provider, startProvider } from '../support/pop3Provider.ts'
import { silence, type SmtpMail, type SmtpProvider, startSmtpProvider } from '../support/smtpProvider.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { type Ledger, type Mail, nameIn, Violation } from './ledger.ts'
import type { Random } from './random.ts'

/** Servers that mail clients send and read at through the gateway. They tell the ledger what reaches them, at that moment. */
export type Providers = {
  readonly smtp: SmtpProvider
  readonly pop3: Provider
  /** Configuration of a gateway that may reach them. */
  readonly env: Readonly<Record<string, string>>
  /** A mail lies in the remote maildrop from now on, under the number that this gives. */
  offer(mail: Mail): number
  /** Throws what they have seen that may never be. */
  verify(): void
  close(): Promise<void>
}

type Parts = { readonly ledger: Ledger; readonly random: Random; readonly scratch: string }

/** Made once: each round's gateway trusts it. */
const issuing = testAuthority().then(async (authority) => ({
  authority,
  certificate: await authority.issue({ names: ['localhost'] }),
}))

export const startProviders = async ({ ledger, random, scratch }: Parts): Promise<Providers> => {
  const { authority, certificate } = await issuing
  const caFile = join(scratch, 'authority.pem')
  writeFileSync(caFile, authority.cert)
  const smtp = await startSmtpProvider(certificate)
  const pop3 = await startProvider(certificate)
  const violations: Violation[] = []

  const took = ({ octets }: SmtpMail) => {
    const mail = ledger.mails.get(nameIn(octets) ?? '')
    if (mail?.bytes.equals(octets) === true) ledger.recorded(mail)
    else violations.push(new Violation(`the provider was sent what no client sent, or not all of it: ${mail?.name}`))
  }
  smtp.answer = (line, socket) => {
    const mail = line === '.' ? smtp.mails.pop() : undefined
    if (!mail) return undefined
    took(mail)
    // The answer may be long in coming, so that more happens before it.
    setTimeout(() => socket.write('250 2.0.0 Taken\r\n'), random.whole(0, 60))
    return silence
  }
  pop3.answer = (line) => {
    const [verb, number] = line.split(' ')
    const mail = ledger.mails.get(pop3.mails[Number(number) - 1]?.uidl ?? '')
    if (mail && verb === 'RETR') mail.given++
    if (mail && verb === 'DELE') ledger.recorded(mail)
    return undefined
  }
  return {
    smtp,
    pop3,
    env: {
      SEALPOST_PROXY_TARGETS: `localhost:${smtp.port},localhost:${pop3.port}`,
      SEALPOST_PROXY_NETWORKS: '127.0.0.0/8,::1',
      SEALPOST_PROXY_CA_FILE: caFile,
    },
    offer: ({ name, bytes }) => pop3.mails.push({ uidl: name, octets: bytes }),
    verify: () => {
      if (violations[0]) throw violations[0]
    },
    close: async () => {
      await Promise.all([smtp.close(), pop3.close()])
    },
  }
}
