import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { Secret } from '../../src/core/secret.ts'
import { createLogger } from '../../src/logger.ts'

const test = suite('logger')

const given = (level: Parameters<typeof createLogger>[0]) => {
  const lines: string[] = []
  return { logger: createLogger(level, { write: (line) => void lines.push(line) }), lines }
}

test('a line is one JSON object with level, time, fields and text', () => {
  const { logger, lines } = given('info')
  logger.warn({ sessionId: 's' }, 'Something happened')
  const { time, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, unknown>
  assert.equal(rest, { level: 'warn', sessionId: 's', msg: 'Something happened' })
  assert.match(String(time), /^\d{4}-\d\d-\d\dT.*Z$/)
  assert.match(lines[0] ?? '', /\n$/)
})

test('an error is written with its code and its causes', () => {
  const { logger, lines } = given('info')
  logger.error({ err: new GatewayError('storage-failed', { cause: new Error('the disk') }) }, 'Failed')
  const { err } = JSON.parse(lines[0] ?? '') as { err: { code: string; cause: { message: string } } }
  assert.equal([err.code, err.cause.message], ['storage-failed', 'the disk'])
})

test('no secret is written, whoever passes it', () => {
  const { logger, lines } = given('info')
  const password = 'hunter2'
  logger.info(
    { password, login: { password, token: password }, s: new Secret(password), l: [new Secret(password)] },
    'In',
  )
  assert.not.match(lines.join(''), /hunter2/)
})

test('a level writes itself and what is worse, off writes nothing', () => {
  for (const [level, count] of [
    ['info', 3],
    ['warn', 2],
    ['error', 1],
    ['off', 0],
  ] as const) {
    const { logger, lines } = given(level)
    logger.info({}, 'a')
    logger.warn({}, 'b')
    logger.error({}, 'c')
    assert.is(lines.length, count)
  }
})

test.run()
