import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createMetrics, type Readings } from '../../src/metrics/metrics.ts'
import { peerTest } from '../support/peers.ts'
import { outputOf, scratchFiles } from './program.ts'

const root = join(import.meta.dirname, '../..')
const contentOf = (path: string) => readFileSync(join(root, path), 'utf8')
const rules = 'ops/prometheus/sealpost.rules.yml'
const dashboard = 'ops/grafana/sealpost.json'
const handbook = 'ops/docs/operations.md'

const readings: Readings = {
  checks: [],
  sessions: { smtp: 0, submission: 0, pop3: 0 },
  sessionsOfOne: { smtp: 0, submission: 0, pop3: 0 },
  bytesInFlight: 0,
  limits: {
    smtpSessions: 0,
    pop3Sessions: 0,
    sessionsPerClient: 0,
    messagesPerMinute: 0,
    bytesInFlight: 0,
    logLag: 0,
    diskReserve: 0,
  },
  storageCalls: 0,
  storageLag: 0,
  viewsState: 'live',
  viewsLag: 0,
  undrainedAge: 0,
  stored: { log: 0, vault: 0 },
  free: { data: 0, vault: 0, keys: 0 },
  certificate: { notBefore: new Date(0), notAfter: new Date(0) },
}

/** The names of all metrics, as the gateway says them. */
const metricNames = async (): Promise<readonly string[]> => {
  const text = await createMetrics({ version: '1', node: '1' }).text(readings)
  return [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name ?? '').sort()
}
const namesIn = (text: string) => [
  ...new Set([...text.matchAll(/\b(?:sealpost|process)_[a-z0-9_]+/g)].map(([name]) => name.replace(/_bucket$/, ''))),
]

test('alert rules and dashboard speak of metrics that the gateway has, and of no others', async () => {
  const known = new Set(await metricNames())
  const { panels } = JSON.parse(contentOf(dashboard)) as { panels: { targets: { expr: string }[] }[] }
  const shown = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)).join('\n')
  const alerted = [...contentOf(rules).matchAll(/^\s+expr: (.*)$/gm)].map(([, expr]) => expr).join('\n')
  assert.ok(namesIn(shown).length > 10 && namesIn(alerted).length > 5)
  assert.equal(
    [...namesIn(shown), ...namesIn(alerted)].filter((name) => !known.has(name)),
    [],
  )
  assert.equal(
    [...known].filter((name) => !namesIn(shown).includes(name)),
    [],
    'every metric is on the dashboard',
  )
})

test('the handbook lists every metric and every alert', async () => {
  const text = contentOf(handbook)
  const alerts = [...contentOf(rules).matchAll(/alert: (\S+)/g)].map(([, name]) => name ?? '')
  assert.equal(
    [...(await metricNames()), ...alerts].filter((name) => !text.includes(`\`${name}\``)),
    [],
  )
})

peerTest(test, ['promtool'], 'promtool accepts the alert rules, and they alert when they should', async () => {
  await outputOf('promtool', ['check', 'rules', join(root, rules)])
  await outputOf('promtool', ['test', 'rules', join(root, 'ops/prometheus/sealpost.rules.test.yml')])
})

peerTest(test, ['promtool'], "promtool accepts the handbook's way to scrape", async () => {
  const [, config = ''] = /```yaml\n(.*?)```/s.exec(contentOf(handbook)) ?? []
  assert.match(config, /scrape_configs/)
  const files = scratchFiles()
  await outputOf('promtool', ['check', 'config', '--syntax-only', files.write('prometheus.yml', config)])
  files.remove()
})

peerTest(
  test,
  ['systemd-analyze'],
  'systemd accepts the unit, and finds little that the service could do harm with',
  async () => {
    const files = scratchFiles()
    // Where this Node and this program are: systemd looks whether they exist.
    const installed = contentOf('ops/systemd/sealpost.service')
      .replaceAll('/opt/sealpost/node_modules/.bin/node', process.execPath)
      .replaceAll('/opt/sealpost', root)
    const unit = files.write('sealpost.service', installed)
    await outputOf('systemd-analyze', ['verify', unit])
    await outputOf('systemd-analyze', ['security', '--offline=true', '--threshold=20', unit])
    files.remove()
  },
)

test.run()
