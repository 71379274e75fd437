import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseAddress } from '../../src/core/address.ts'
import type { MailboxId } from '../../src/core/ids.ts'
import { findRecipient, type Mailbox, type Recipients } from '../../src/smtp/recipient.ts'

const id = (name: string) => name as MailboxId
const mailbox = (name: string, suspended = false): Mailbox => ({
  mailboxId: id(name),
  recipient: 'age1…',
  generation: 1,
  suspended,
})
const book = new Map([
  ['one@gateway.example', mailbox('one')],
  ['alias@customer.example', mailbox('one')],
  ['stopped@gateway.example', mailbox('stopped', true)],
])
const recipients: Recipients = {
  domain: 'Gateway.Example',
  postmaster: id('one'),
  resolve: (address) => book.get(address),
  current: undefined,
}
const find = (text: string, changed: Partial<Recipients> = {}) => {
  const path = text === 'postmaster' ? text : parseAddress(text)
  if (path === undefined) throw new Error(`${text} is no address`)
  return findRecipient({ ...recipients, ...changed }, path)
}

for (const [text, found] of [
  ['one@gateway.example', { is: 'mailbox', mailboxId: id('one') }],
  ['ONE@GATEWAY.EXAMPLE', { is: 'mailbox', mailboxId: id('one') }],
  ['Alias@Customer.Example', { is: 'mailbox', mailboxId: id('one') }],
  ['stopped@gateway.example', { is: 'suspended', mailboxId: id('stopped') }],
  ['nobody@gateway.example', { is: 'unknown' }],
  ['nobody@customer.example', { is: 'relay' }],
  ['one@sub.gateway.example', { is: 'relay' }],
  ['one@evilgateway.example', { is: 'relay' }],
  ['"x@gateway.example"@elsewhere.example', { is: 'relay' }],
  ['postmaster', { is: 'mailbox', mailboxId: id('one') }],
  ['Postmaster@gateway.example', { is: 'mailbox', mailboxId: id('one') }],
  ['postmaster@customer.example', { is: 'relay' }],
] as const)
  test(`${text} is ${found.is}`, () => {
    assert.equal(find(text).found, found)
  })

test('without a configured mailbox, or with one that is gone, there is no postmaster', () => {
  assert.equal(find('postmaster', { postmaster: undefined }).found, { is: 'noPostmaster' })
  assert.equal(find('postmaster', { postmaster: id('gone') }).found, { is: 'noPostmaster' })
})

test('a suspended postmaster is suspended, not unknown', () => {
  assert.is(find('postmaster', { postmaster: id('stopped') }).found.is, 'suspended')
})

test.run()
