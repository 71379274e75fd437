import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { configSha256, describeConfig, describeSettings, loadConfig } from '../../src/config.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { bufferOf, eitherOf, joined, sentence, spoilt, wordOf } from './octets.ts'
import { target } from './target.ts'

type Written = { readonly file: string; readonly env: Readonly<Record<string, string>> }

const settings = describeSettings()
const sections = [...new Set(settings.map(({ name }) => name.split('.')[0] ?? ''))]
const keys = settings.map(({ name }) => name.split('.')[1] ?? '')
const secret = 'hunter2secret'
const value = wordOf(
  ...[
    '1',
    '0',
    '2525',
    '65536',
    '-1',
    '1.5',
    'true',
    '"off"',
    '"5m"',
    '"200MiB"',
    '"7d"',
    '"archive.example.com"',
    '""',
  ],
  ...[
    '"127.0.0.1"',
    '"::"',
    '["pop.example.net:995", "*.example.net"]',
    '["192.0.2.0/24"]',
    '[]',
    '[[]]',
    '{}',
    '"files"',
  ],
  ...['"eventstoredb"', '"esdb://u:p@node.example:2113"', '1979-05-27', 'nan', '"\\u0000"', '"info"', '0xff', '"*"'],
)
const inSections = joined(
  sentence('[$]\n$', wordOf(...sections), joined(sentence('$ = $\n', wordOf(...keys), value), 4)),
  4,
)
/** Keys in their own sections, with values that most of them take. */
const fitting = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...settings), value), { maxLength: 4, selector: ([{ name }]) => name })
  .map((lines) => lines.map(([setting, other]) => `${setting.name} = ${valueOf(setting, other)}\n`).join(''))
const valueOf = (setting: (typeof settings)[number], other: string) =>
  typeof setting.default === 'number' || other.startsWith('[') ? other : JSON.stringify(setting.default ?? 'x')
const toml = fc.oneof(inSections, fitting)
const unquoted = value.map((text) => text.replaceAll('"', ''))
const names = fc.constantFrom(...settings.map(({ variable }) => variable), 'SEALPOST_X', 'PATH')
const storeUrl = spoilt(fc.constant(`esdb://u:${secret}@node.example:2113?tls=false`))
const env = fc.oneof(
  fc.dictionary(names, unquoted, { maxKeys: 3 }),
  storeUrl.map((url) => ({ SEALPOST_LOG_ENGINE: 'eventstoredb', SEALPOST_LOG_URL: url })),
)

/** Configuration as somebody has written it: it is taken and can be written down, or refused without telling secrets. */
export const configFiles = target<Written>((corpus) => {
  const cwd = mkdtempSync(join(tmpdir(), 'sealpost-fuzz-'))
  const file = join(cwd, 'written.toml')
  const again = join(cwd, 'again.toml')
  const machine = { hostname: 'machine', hasIpv6: true }
  const load = (path: string, variables: Written['env']) => {
    try {
      return loadConfig({ file: path, cwd, env: variables }, machine)
    } catch (error) {
      assert.ok(error instanceof GatewayError && error.code === 'start-refused', String(error))
      assert.ok(error.message.length > 10)
      assert.not.ok(error.message.includes(secret), error.message)
      return undefined
    }
  }
  return {
    inputs: fc.record({
      file: spoilt(
        eitherOf(
          corpus.map(({ file }) => file),
          toml,
        ),
      ),
      env,
    }),
    costs: 200,
    check: (input) => {
      writeFileSync(file, bufferOf(input.file))
      const config = load(file, input.env)
      if (!config || config.log.url) return
      writeFileSync(again, describeConfig(config))
      const same = load(again, {})
      assert.ok(same)
      assert.is(configSha256(same), configSha256(config))
    },
    close: () => rmSync(cwd, { recursive: true }),
  }
})
