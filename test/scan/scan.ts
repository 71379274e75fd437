// Lets testssl.sh make all its tests at every listener, with either kind of certificate: npm run scan (ops/docs/tls.md).
import { programPath } from '../support/peers.ts'
import { belowGood, testssl } from '../support/testssl.ts'
import { type KeyKind, keyKinds, listenerNames, startTlsGateway } from '../support/tlsGateway.ts'

const usage = 'npm run scan [-- LISTENER…]'

/** Milliseconds that one listener may take. */
const within = 600_000

// So that its gateways end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

const wanted = process.argv.slice(2)
const chosen = listenerNames.filter((name) => wanted.length === 0 || wanted.some((word) => name.startsWith(word)))
if (chosen.length === 0) throw new Error(`${usage}, of ${listenerNames.join('; ')}`)
if (programPath('testssl') === undefined) throw new Error('testssl.sh is not installed')

/** They wait for most of their time; but with more of them at once their peers would seem to be away. */
const atOnce = 4

const scan = async (kind: KeyKind) => {
  const gateway = await startTlsGateway(kind)
  let found = 0
  const waiting = chosen.values()
  const lane = async () => {
    for (const name of waiting) {
      const began = Date.now()
      const findings = await testssl(gateway, gateway.listeners[name], { within })
      const below = belowGood(findings)
      const seconds = Math.round((Date.now() - began) / 1000)
      const counts = `${findings.length} findings, ${below.length} below good, ${seconds} s`
      console.log([`${kind.padEnd(6)} ${name.padEnd(21)} ${counts}`, ...below].join('\n       '))
      found += below.length
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  if ((await gateway.end()) !== 0) throw new Error('the gateway has not survived it')
  return found
}

let found = 0
for (const kind of keyKinds) found += await scan(kind)
process.exitCode = found === 0 ? 0 : 1
