import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { openWire } from '../support/wire.ts'
import { until } from '../support/until.ts'
import { drain, greeting, startTestSmtp, talk, transaction } from './smtpTestServer.ts'

test('when it closes, idle sessions hear 421, a running transaction finishes, and nobody new gets in', async () => {
  const server = await startTestSmtp()
  const [idle, busy] = await Promise.all([openWire(server.port), openWire(server.port)])
  await talk(idle, greeting)
  await talk(busy, greeting + transaction)
  busy.send('first half, ')
  const closed = server.smtp.close(30_000)
  await talk(idle, 'S: 421 4.3.2 Shutting down, try again later')
  await openWire(server.port).then(
    () => assert.unreachable('a new connection was accepted'),
    () => undefined,
  )
  busy.send('second half\r\n.\r\n')
  await talk(busy, 'S: 250 2.6.0 *\nS: 421 4.3.2 *')
  idle.destroy()
  busy.destroy()
  await closed
  assert.is(server.mails[0]?.body.toString(), 'first half, second half\r\n')
  assert.equal(server.sessions, ['opened smtp', 'closed shutdown'])
})

test('what does not finish within the grace is broken off, and not acknowledged', async () => {
  const server = await startTestSmtp()
  const wire = await openWire(server.port)
  await talk(wire, greeting + transaction)
  wire.send('half')
  await server.smtp.close(50)
  await talk(wire, 'S: 421 4.3.2 *')
  wire.destroy()
  assert.is(server.mails.length, 0)
})

test('it waits for a message that is being recorded, even when its peer has gone', async () => {
  let [received, recorded] = [false, false]
  const server = await startTestSmtp({
    onMail: async (_, body) => {
      await drain(body)
      received = true
      await new Promise((resolve) => setTimeout(resolve, 200))
      recorded = true
    },
  })
  const wire = await openWire(server.port)
  await talk(wire, `${greeting}${transaction}\nC: x\nC: .`)
  await until(() => received)
  wire.destroy()
  await server.smtp.close(0)
  assert.ok(recorded)
})

test('closing twice is closing once', async () => {
  const server = await startTestSmtp()
  await Promise.all([server.smtp.close(10), server.smtp.close(10)])
  await server.smtp.close(10)
})

test('a port in use refuses the start in one sentence, and nothing is left listening', async () => {
  const server = await startTestSmtp()
  const listeners = [
    { protocol: 'smtps', host: '127.0.0.1', port: 0 },
    { protocol: 'smtp', host: '127.0.0.1', port: server.port },
  ] as const
  try {
    await startTestSmtp({ listeners })
    assert.unreachable('it started')
  } catch (error) {
    assert.instance(error, GatewayError)
    assert.is((error as GatewayError).code, 'start-refused')
    assert.match((error as GatewayError).message, new RegExp(`^port ${server.port} is already in use`, 'v'))
  }
  await server.close()
})

test.run()
