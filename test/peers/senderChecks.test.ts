import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { Resolver } from 'node:dns/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { freePorts } from '../../ops/scratchGateway.ts'
import { openSenderChecker } from '../../src/senderChecks/senderChecks.ts'
import { awkwardMails } from '../support/mails.ts'
import { peerTest, programPath } from '../support/peers.ts'
import { until } from '../support/until.ts'
import { outputOf, scratchFiles } from './program.ts'

// dkimpy signs and dnsmasq publishes.

const test = suite('sender checks among real programs')
const files = scratchFiles()
const servers: ChildProcess[] = []

test.after(() => {
  for (const server of servers) server.kill('SIGKILL')
  files.remove()
})

const quietly = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** dnsmasq with these TXT records; gives its `address:port` once it answers. */
const dnsmasq = async (records: Readonly<Record<string, string>>) => {
  const { smtp: port } = await freePorts()
  const txt = Object.entries(records).map(([name, text]) => {
    const strings = text.match(/.{1,200}/g) ?? []
    return `--txt-record=${name},${strings.join(',')}`
  })
  const config = [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--no-resolv',
    '--no-hosts',
    '--pid-file=',
    `--port=${port}`,
  ]
  const listen = ['--listen-address=127.0.0.1', '--bind-interfaces', '--user=root', '--edns-packet-max=4096']
  servers.push(spawn(programPath('dnsmasq') ?? 'dnsmasq', [...config, ...listen, ...txt], { stdio: 'ignore' }))
  const server = `127.0.0.1:${port}`
  const resolver = new Resolver({ timeout: 200, tries: 1 })
  resolver.setServers([server])
  const [first = ''] = Object.keys(records)
  await until(() => resolver.resolveTxt(first).catch(() => undefined), 'dnsmasq answers') // prettier-ignore
  return server
}

const ways = [
  ['relaxed', 'relaxed'],
  ['simple', 'simple'],
  ['simple', 'relaxed'],
  ['relaxed', 'simple'],
] as const

peerTest(
  test,
  ['dkimsign', 'dnsmasq'],
  'what dkimpy signs is good, in every canonical form, until a letter is changed',
  async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const key = files.write('key.pem', privateKey.export({ type: 'pkcs1', format: 'pem' }))
    const p = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
    const server = await dnsmasq({
      's1._domainkey.example.com': `v=DKIM1; k=rsa; p=${p}`,
      'example.com': 'v=spf1 ip4:198.51.100.7 -all',
    })
    const checker = openSenderChecker({ servers: [server], wait: () => 60, logger: quietly })
    const peer = { remoteAddress: '198.51.100.7', helloName: 'mx.example.com', reversePath: 'a@example.com' }
    const found = async (mail: Buffer) => {
      const check = checker.check(peer)
      const pieces = (async function* () {
        for (let at = 0; at < mail.length; at += 777) yield await Promise.resolve(mail.subarray(at, at + 777))
      })()
      for await (const piece of check.heard(pieces)) assert.ok(piece.length > 0)
      return check.found
    }
    const mails = [
      'an ordinary mail',
      'a lone dot line',
      'bare line feeds',
      'eight-bit text',
      'many empty lines',
      'no final line end',
    ]
    try {
      for (const [index, name] of mails.entries()) {
        const [header, body] = ways[index % ways.length] ?? ways[0]
        const mail = awkwardMails[name] ?? Buffer.alloc(0)
        const args = ['--hcanon', header, '--bcanon', body, 's1', 'example.com', key]
        const signed = await outputOf('dkimsign', args, { input: mail })
        assert.equal(await found(signed), { spf: 'pass', dkim: ['pass'] }, `${name}, ${header}/${body}`)
        const changed = Buffer.from(signed.toString('latin1').replace('Subject: awkward', 'Subject: awkwarD'), 'latin1')
        assert.equal((await found(changed)).dkim, ['fail'], name)
      }
    } finally {
      await checker.close()
    }
  },
)

test.run()
