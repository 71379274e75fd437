import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { rows } from '../../src/config/settings.ts'

const test = suite('container')
const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const dockerfile = read('ops/Dockerfile')
const composition = read('ops/compose.gateway.yml')

/** The files and folders that the image is built from. */
const copied = [...dockerfile.matchAll(/^COPY (?!--)(.+) \S+$/gm)].flatMap(([, names = '']) => names.split(' '))

test('every file that the image is built from is there', () => {
  assert.ok(copied.includes('src'))
  for (const name of copied) assert.ok(existsSync(join(root, name)), name)
})

test('what the program imports is in the image', () => {
  const within = copied.filter((name) => !name.includes('.'))
  for (const folder of within.filter((name) => name !== 'LICENSE'))
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (!/\.(?:ts|mjs)$/.test(name)) continue
      const imports = [...read(join(folder, name)).matchAll(/(?:from |import\()'(\.[^']+)'/g)]
      for (const [, target = ''] of imports) {
        const [top = ''] = join(folder, name, '..', target).split('/')
        assert.ok(copied.includes(top), `${folder}/${name} imports ${target}`)
      }
    }
})

test('the ports of the image are the defaults', () => {
  const machine = { hostname: 'any', hasIpv6: true }
  const ports = rows
    .filter(({ name }) => /^(smtp|submission|smtps|pop3|pop3s)\.port$/.test(name))
    .map(({ setting }) => String(setting.default(machine)))
  assert.equal(/^EXPOSE (.*)$/m.exec(dockerfile)?.[1]?.split(' ').toSorted(), ports.toSorted())
  for (const [, port = ''] of composition.matchAll(/'\d+:(\d+)'/g)) assert.ok(ports.includes(port), port)
})

test('every variable is one that the gateway knows, and one version of EventStoreDB is named everywhere', () => {
  const known = rows.map(({ variable }) => variable)
  const named = [
    ...`${dockerfile}\n${composition}`.matchAll(/\b(SEALPOST_[A-Z_]+)[:=] /g),
    ...dockerfile.matchAll(/(SEALPOST_[A-Z_]+)=/g),
  ]
  for (const [, variable = ''] of named) assert.ok(known.includes(variable), variable)
  const image = (text: string) => /eventstore\/eventstore:\S+/.exec(text)?.[0]
  assert.is(image(composition), image(read('ops/compose.yml')))
  assert.ok(image(composition))
})

test.run()
