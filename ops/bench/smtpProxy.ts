// What a mail of 10 KiB costs that a client sends through the proxy, beside the same mail on the journal way, with TLS on
// every connection and ten mails on each:
//   node ops/bench/smtpProxy.ts [CONNECTIONS]
// Processor time of the gateway alone. The provider is a process of its own that takes whatever comes.
import { smtpClient, type SmtpClient } from '../../test/support/smtpClient.ts'
import { startProxyGateway } from '../../test/support/proxyGateway.ts'
import { startSmtpProvider } from '../../test/support/smtpProvider.ts'
import { testAuthority } from '../../test/support/testAuthority.ts'
import { median } from './median.ts'
import { cpuOf } from './processorTime.ts'

const mailsOfOne = 10
const atOnce = 20
const mail = Buffer.from(`${'The quick brown fox jumps over the lazy dog; '.slice(0, 30)}\r\n`.repeat(320))

const authority = await testAuthority()

/** Prints one line. */
export const smtpProxy = async (connections: number): Promise<void> => {
  const provider = await startSmtpProvider(await authority.issue({ names: ['localhost'] }))
  const gateway = await startProxyGateway(authority, [provider.port])
  const { mailboxId, address } = await gateway.createMailbox('--name', 'bench')
  let users = 0
  const name = () => `user${++users}@example.com%localhost:${provider.port}%${mailboxId}`

  const journal = () => smtpClient(gateway.ports.smtps, { tls: true })
  const submission = async () => {
    const client = await smtpClient(gateway.ports.submissions, { tls: true })
    const answer = await client.login(name(), 'password')
    if (!answer.startsWith('235')) throw new Error(answer)
    return client
  }
  const send = async (connect: () => Promise<SmtpClient>, to: string) => {
    const client = await connect()
    for (let sent = 0; sent < mailsOfOne; sent++) {
      const reply = await client.deliver(to, mail)
      if (!reply.startsWith('250')) throw new Error(reply)
    }
    await client.quit()
    provider.mails.length = 0
  }
  const batch = (connect: () => Promise<SmtpClient>, to: string) => async () => {
    const before = cpuOf(gateway.process.pid ?? 0)
    await Promise.all(Array.from({ length: atOnce }, () => send(connect, to)))
    return (cpuOf(gateway.process.pid ?? 0) - before) / (atOnce * mailsOfOne)
  }
  const [own, through] = [batch(journal, address), batch(submission, 'recipient@example.org')]
  for (const warming of [own, through, own, through]) await warming()
  // In turn, so that whatever else the machine does meets both.
  const costs: { readonly own: number; readonly through: number }[] = []
  for (let sent = 0; sent < connections; sent += atOnce) costs.push({ own: await own(), through: await through() })
  const cost = median(costs.map(({ through }) => through))
  const ratio = median(costs.map(({ own, through }) => through / own))
  console.log(
    `\nSending 10 KiB through the proxy costs ${cost.toFixed(0)} µs of processor time, ${ratio.toFixed(2)} × that of the journal way (must: at most 1.5).`,
  )
  await gateway.stop()
  gateway.remove()
  await provider.close()
}

if (import.meta.main) await smtpProxy(Number(process.argv[2] ?? 200))
