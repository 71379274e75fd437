// What it costs a mail client to read its mail at a provider through the gateway, beside Dovecot alone in the same run:
//   node ops/bench/pop3Proxy.ts [quick]
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Dovecot, startDovecot } from '../../test/support/dovecot.ts'
import { type Pop3Client, pop3Client } from '../../test/support/pop3Client.ts'
import { startProvider } from '../../test/support/pop3Provider.ts'
import { startProxyGateway } from '../../test/support/proxyGateway.ts'
import { testAuthority } from '../../test/support/testAuthority.ts'
import type { ScratchGateway } from '../scratchGateway.ts'
import { median } from './median.ts'
import { watchResidentMemory } from './residentMemory.ts'

const run = promisify(execFile)
const large = Buffer.concat([
  Buffer.from('Subject: large\r\n\r\n'),
  Buffer.alloc(50_000_000, 'A mail of fifty megabytes in lines of seventy octets and a few more.\r\n'),
])

/** MB/s of RETR, over POP3S, of what `user` has at a port. */
const rate = async (port: number, user: string, password: string, count: number): Promise<number> => {
  const args = [join(import.meta.dirname, 'pop3Load.ts'), String(port), user, password, String(count), '1']
  const { octets, seconds } = JSON.parse((await run(process.execPath, args)).stdout) as {
    octets: number
    seconds: number
  }
  return octets / 1e6 / seconds
}

type Parts = { readonly dovecot: Dovecot; readonly nameOf: (user: string) => string; readonly pop3s: number }

/** Each message once: what is recorded is not sealed again. */
const transfer = async ({ dovecot, nameOf, pop3s }: Parts, rounds: number) => {
  const [direct, proxied]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    const user = `large${round}@example.com`
    dovecot.fill(user, [large, large])
    direct.push(await rate(dovecot.pop3s, user, dovecot.password, 2))
    proxied.push(await rate(pop3s, nameOf(user), dovecot.password, 2))
  }
  return { direct: median(direct), proxied: median(proxied) }
}

/** MiB that so many sessions hold that say nothing. */
const idle = async (gateway: ScratchGateway, nameOf: (user: string) => string, sessions: number) => {
  const memory = watchResidentMemory([gateway.process.pid ?? 0])
  const open = async (number: number, count: number) => {
    const clients: Pop3Client[] = []
    for (let at = 0; at < count; at++) {
      const client = await pop3Client(gateway.ports.pop3s)
      const answer = await client.login(nameOf(`idle${number + at}`), 'password')
      if (!answer.startsWith('+OK')) throw new Error(answer)
      clients.push(client)
    }
    return clients
  }
  // The first ones pay for what all share.
  const clients = await open(0, 20)
  await delay(2000)
  memory.take()
  const before = memory.take()
  clients.push(...(await open(20, sessions)))
  await delay(2000)
  memory.take()
  const after = memory.take()
  for (const client of clients) client.wire.destroy()
  memory.stop()
  return after - before
}

/** Prints both figures with what they must be; `scale` of the work. */
export const pop3Proxy = async (scale: number): Promise<void> => {
  const authority = await testAuthority()
  const dovecot = await startDovecot(authority)
  const provider = await startProvider(await authority.issue({ names: ['localhost'] }))
  const env = { SEALPOST_PROXY_CONNECTIONS_PER_CLIENT: '1000' }
  const gateway = await startProxyGateway(authority, [dovecot.pop3s, provider.port], { env })
  try {
    const { mailboxId } = await gateway.createMailbox('--name', 'proxied')
    const nameAt = (port: number) => (user: string) => `${user}%localhost:${port}%${mailboxId}`
    const sessions = Math.round(500 * scale)
    const held = await idle(gateway, nameAt(provider.port), sessions)
    console.log(`${sessions} idle POP3 proxy sessions hold ${held.toFixed(0)} MiB (must: under ${60 * scale})`)
    const parts = { dovecot, nameOf: nameAt(dovecot.pop3s), pop3s: gateway.ports.pop3s }
    const { direct, proxied } = await transfer(parts, Math.max(1, Math.round(5 * scale)))
    const ratio = (proxied / direct).toFixed(2)
    console.log(
      `RETR 50 MB through the proxy ${proxied.toFixed(0)} MB/s, from Dovecot ${direct.toFixed(0)} MB/s: ${ratio} × (must: 0.6)`,
    )
  } finally {
    await gateway.stop()
    gateway.remove()
    await provider.close()
    await dovecot.stop()
  }
}

if (process.argv[1] === import.meta.filename) await pop3Proxy(process.argv.includes('quick') ? 0.2 : 1)
