import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { environment, freePorts, scratchEnv } from '../../ops/scratchGateway.ts'
import { startTestGateway } from '../support/testGateway.ts'

const main = join(import.meta.dirname, '../../src/start.mjs')
const scratch = mkdtempSync(join(tmpdir(), 'sealpost-start-'))
test.after(() => rmSync(scratch, { recursive: true }))

/** Starts a gateway that should refuse to; gives its exit code and what it said on stderr. */
const refusal = async (env: Record<string, string>, ...args: readonly string[]) => {
  const child = spawn(process.execPath, [main, 'serve', ...args], { cwd: scratch, env: { ...environment(), ...env } })
  let stderr = ''
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()))
  child.stdout.resume()
  const timer = setTimeout(() => child.kill('SIGKILL'), 90_000)
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  clearTimeout(timer)
  return { code, stderr }
}

const isOneSentence = (stderr: string) => stderr.trim().split('\n').length === 1 && !stderr.includes('    at ')

test('a second gateway on the same data directory is refused in one sentence, and the first goes on', async () => {
  const gateway = await startTestGateway()
  const { code, stderr } = await refusal(scratchEnv(gateway.data, await freePorts()))
  assert.is(code, 1)
  assert.match(stderr, /Another gateway is running on the data directory/)
  assert.ok(isOneSentence(stderr), stderr)
  await gateway.createMailbox('--name', 'still there')
  assert.is(await gateway.stop(), 0)
  gateway.remove()
})

test('a port in use is named, and nothing else is left listening', async () => {
  const ports = await freePorts()
  const server = createServer().listen(ports.pop3, '127.0.0.1')
  const { code, stderr } = await refusal(scratchEnv(join(scratch, 'port'), ports))
  assert.is(code, 1)
  assert.match(stderr, new RegExp(`${ports.pop3} is already in use`))
  assert.ok(isOneSentence(stderr), stderr)
  await new Promise((resolve) => server.close(resolve))
})

test('a data directory that is a file, or lies in one, is refused by name', async () => {
  const file = join(scratch, 'file')
  writeFileSync(file, '')
  for (const data of [file, join(file, 'below')]) {
    const { code, stderr } = await refusal(scratchEnv(data, await freePorts()))
    assert.is(code, 1)
    assert.ok(stderr.includes(data) && isOneSentence(stderr), stderr)
  }
})

test('a log that is no database is refused, and left as it is', async () => {
  const data = join(scratch, 'damaged')
  mkdirSync(data)
  writeFileSync(join(data, 'events.db'), 'this is not a database, and it is long enough to be looked at '.repeat(20))
  const { code, stderr } = await refusal(scratchEnv(data, await freePorts()))
  assert.is(code, 1)
  assert.ok(stderr.includes('events.db') && isOneSentence(stderr), stderr)
})

test('a broken configuration names the key and the reason', async () => {
  const config = join(scratch, 'broken.toml')
  writeFileSync(config, '[smtp]\nport = "eleven"\n')
  const { code, stderr } = await refusal({}, '--config', config)
  assert.is(code, 1)
  assert.match(stderr, /smtp\.port/)
  assert.match(stderr, /eleven/)
})

test('a gateway that is told to stop lets its data directory be used again at once, and a SIGKILLed one too', async () => {
  const first = await startTestGateway()
  const { data, ports } = first
  assert.is(await first.stop(), 0)
  const second = await startTestGateway({ data, ports })
  await second.kill()
  const third = await startTestGateway({ data, ports })
  assert.is(await third.stop(), 0)
  third.remove()
})

test.run()
