import { closeSync, fstatSync, openSync, readFileSync, writeSync } from 'node:fs'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { smtpClient } from '../support/smtpClient.ts'
import { startTestGateway } from '../support/testGateway.ts'
import { until } from '../support/until.ts'

const mail = Buffer.from('Subject: x\r\n\r\nx\r\n')

/** All of it but its name: who has it open goes on with it. */
const spoil = (file: string) => {
  const handle = openSync(file, 'r+')
  writeSync(handle, Buffer.alloc(fstatSync(handle).size, 0xee), 0, undefined, 0)
  closeSync(handle)
}

test('a running gateway whose views are damaged builds them anew and goes on receiving, without a restart', async () => {
  const gateway = await startTestGateway()
  const isReady = async () => {
    const options = {
      host: '127.0.0.1',
      port: gateway.ports.admin,
      path: '/readyz',
      rejectUnauthorized: false,
      agent: false,
    }
    const [response] = (await once(request(options).end(), 'response')) as unknown as readonly [IncomingMessage]
    response.resume()
    return response.statusCode === 200
  }
  const { address, mailboxId } = await gateway.createMailbox('--name', 'kept')
  const answers: string[] = []
  const deliver = async () => {
    const client = await smtpClient(gateway.ports.smtp)
    const answer = await client.deliver(address, mail)
    await client.quit()
    answers.push(answer)
    return answer.startsWith('250')
  }
  assert.ok(await deliver())
  await until(isReady)

  const file = join(gateway.data, 'views.db')
  for (const one of [file, `${file}-wal`]) spoil(one)
  const isAnew = () => gateway.output().includes('The views are opened anew')
  await until(async () => {
    await deliver()
    return isAnew()
  }, gateway.output)
  await until(isReady, gateway.output)
  await until(deliver, gateway.output)

  assert.equal(
    answers.filter((answer) => !/^(250|4\d\d) /.test(answer)),
    [],
  )
  const taken = answers.filter((answer) => answer.startsWith('250')).length
  const listed = await gateway.command('message', 'list', '--mailbox', mailboxId, '--json')
  assert.is((JSON.parse(listed) as { messages: unknown[] }).messages.length, taken)
  assert.is(readFileSync(file).subarray(0, 15).toString(), 'SQLite format 3')
  await gateway.stop()
  gateway.remove()
})

test.run()
