// What recording SPF and DKIM results costs: node ops/bench/senderChecks.ts
// The SMTP side and the storage thread of a gateway, with and without the checks, in turns; mails of 10 KiB over 20
// connections, signed and unsigned, from an address that SPF has something to say of. The DNS is on this machine.
import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { dkimSign } from 'mailauth/lib/dkim/sign.js'
import { stamper } from '../../src/core/events.ts'
import { newMailboxId } from '../../src/core/ids.ts'
import { systemClock } from '../../src/core/ports.ts'
import { anySender } from '../../src/core/senderPolicy.ts'
import { pathsIn, prepareDataDirectory, recogniseDirectories } from '../../src/dataDirectory.ts'
import { openSenderChecker } from '../../src/senderChecks/senderChecks.ts'
import { recordSessions } from '../../src/sessions.ts'
import { startSmtp } from '../../src/smtp/smtpServer.ts'
import { startStorage } from '../../src/storage/storage.ts'
import { startDns } from '../../test/support/dnsServer.ts'
import { limits } from '../../test/wire/smtpTestServer.ts'
import { testCertificate } from '../../test/wire/testCertificate.ts'
import { median } from './median.ts'
import { octetsInFlight } from '../../src/wire/flight.ts'

const [connections, messages, rounds] = [20, 1500, 5]
const quietly = { info: () => undefined, warn: () => undefined, error: () => undefined }

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const dns = await startDns({
  'k._domainkey.example.com TXT': [
    `v=DKIM1; k=rsa; p=${publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`,
  ],
  'example.com TXT': ['v=spf1 ip4:192.0.2.0/24 -all'],
})
const dir = mkdtempSync(join(tmpdir(), 'sealpost-checks-'))
const text = `From: a@example.com\r\nSubject: bench\r\n\r\n${`${'The quick brown fox jumps. '.repeat(2)}\r\n`.repeat(180)}`
const { signatures } = await dkimSign(text, {
  canonicalization: 'relaxed/relaxed',
  signingDomain: 'example.com',
  selector: 'k',
  privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
})
const unsigned = join(dir, 'unsigned.eml')
const signed = join(dir, 'signed.eml')
writeFileSync(unsigned, text)
writeFileSync(signed, signatures + text)

const data = join(dir, 'data')
prepareDataDirectory(data)
const paths = pathsIn(data)
recogniseDirectories(paths)
const storage = await startStorage({
  log: { engine: 'sqlite', file: paths.log },
  vault: { engine: 'packs', dir: paths.vault },
  keysDir: paths.keys,
  node: 'scratch',
})
const mailboxId = newMailboxId()
const { recipient } = await storage.createIdentity({ mailboxId, generation: 1 })
const mailbox = { mailboxId, generation: 1, suspended: false, recipient }
const checker = openSenderChecker({ servers: [dns.server], wait: () => 5, logger: quietly })
const certificate = await testCertificate()
const serverWith = (checks: boolean) =>
  startSmtp({
    listeners: [{ protocol: 'smtp', host: '127.0.0.1', port: 0 }],
    loadBalancers: { networks: [], refused: () => undefined },
    domain: 'gateway.example',
    postmaster: undefined,
    senders: {
      offered: () => false,
      authenticate: () => Promise.reject(new Error('nobody logs in here')),
      maySend: () => false,
    },
    senderPolicy: () => anySender,
    tls: () => certificate,
    resolve: () => mailbox,
    current: undefined,
    checkSender: checks ? (peer) => checker.check({ ...peer, remoteAddress: '192.0.2.7' }) : undefined,
    archive: storage.archive,
    sessions: recordSessions(
      storage.log,
      stamper('scratch', () => systemClock.now()),
      quietly,
    ),
    refused: () => undefined,
    putOff: () => undefined,
    flight: octetsInFlight(() => Infinity),
    logger: quietly,
    clock: systemClock,
    limits,
  })
const servers = { off: await serverWith(false), record: await serverWith(true) }

const rate = async (way: keyof typeof servers, file: string) => {
  const port = String(servers[way].addresses[0]?.port ?? 0)
  const args = [
    join(import.meta.dirname, 'smtpLoad.ts'),
    port,
    `${mailboxId}@gateway.example`,
    String(connections),
    String(messages),
    '0',
    file,
  ]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return messages / (JSON.parse(stdout) as { readonly seconds: number }).seconds
}

for (const [what, file] of [
  ['unsigned', unsigned],
  ['signed', signed],
] as const) {
  const rates: Record<keyof typeof servers, number[]> = { off: [], record: [] }
  for (const way of ['off', 'record'] as const) await rate(way, file)
  for (let round = 0; round < rounds; round += 1)
    for (const way of ['off', 'record'] as const) rates[way].push(await rate(way, file))
  const [off, record] = [median(rates.off), median(rates.record)]
  console.log(
    `${what}: ${off.toFixed(0)}/s without, ${record.toFixed(0)}/s with the checks: ${(record / off).toFixed(2)} ×`,
  )
}
for (const server of Object.values(servers)) await server.close(0)
await checker.close()
await storage.close()
await dns.close()
rmSync(dir, { recursive: true })
