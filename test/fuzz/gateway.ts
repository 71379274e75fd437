import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { readTranscript } from '../../actors/readTranscript.ts'
import { pop3Client } from '../support/pop3Client.ts'
import { startProvider } from '../support/pop3Provider.ts'
import { startProxyGateway } from '../support/proxyGateway.ts'
import { say } from '../support/said.ts'
import { smtpClient } from '../support/smtpClient.ts'
import { startSmtpProvider } from '../support/smtpProvider.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { logIn } from '../support/testGateway.ts'
import { openings, type Places, type Way, ways } from './gatewayOpenings.ts'
import { bufferOf, joined, piecesOf, type Segmented, segmented, sentence, spoilt } from './octets.ts'
import { mustBeProxiedSmtp } from './peers.ts'
import { pop3Dialogue, pop3Line } from './pop3Words.ts'
import { pop3Answer, smtpAnswer } from './remoteWords.ts'
import { content, ownMailbox, smtpDialogue, smtpLine } from './smtpWords.ts'
import { socketConversation } from './socketConversation.ts'
import { statesKnown } from './states.ts'
import { target } from './target.ts'

type Session = Segmented & {
  readonly way: Way
  readonly opening: string
  /** What the provider says in the place of its first answers; null: as it should. */
  readonly answers: readonly (string | null)[]
}

/** Sessions after which an honest mail has to come through. */
const honestEvery = 20
/** From where honest mail comes, and is collected; nothing else does. */
const home = '127.2.0.1'
/** Milliseconds: the gateway waits for a provider for a second. */
const patience = { smtp: 300, smtps: 300, submissions: 1300, pop3: 300, pop3s: 1300 } as const
/** Octets of resident memory that the gateway may have grown by. */
const mostGrowth = 96 * 1024 * 1024

const residentOf = (pid: number | undefined) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid ?? 'self'}/status`, 'utf8'))?.[1] ?? 0) * 1024

/**
 * A gateway of its own process, over TCP and TLS, between peers and providers that are both hostile: it answers in good
 * form, takes an honest mail afterwards, and what it has recorded of it all can be run again and holds nothing that was said.
 */
export const gateway = target<Session>(async (corpus) => {
  const authority = await testAuthority()
  const certificate = await authority.issue({ names: ['localhost'] })
  const upgrade = { ...certificate, tls: 'upgrade' } as const
  const [mails, upgradedMails] = [await startSmtpProvider(certificate), await startSmtpProvider(upgrade)]
  const [maildrops, upgradedMaildrops] = [await startProvider(certificate), await startProvider(upgrade)]
  const providers = [mails, upgradedMails, maildrops, upgradedMaildrops]
  const running = await startProxyGateway(
    authority,
    providers.map(({ port }) => port),
    {
      env: {
        SEALPOST_PROXY_ANSWER_TIMEOUT: '1',
        SEALPOST_PROXY_LOGIN_TIMEOUT: '1',
        SEALPOST_PROXY_REPLY_TIMEOUT: '1',
        SEALPOST_LIMITS_MESSAGE_SIZE: '1MiB',
      },
    },
  )
  const { ports } = running
  const mailbox = await running.createMailbox('--name', 'fuzzed')
  // Its owner is let in where he was let in before, whoever else guesses: what is guessed elsewhere keeps him waiting nowhere.
  const honest = await running.createMailbox('--name', 'honest')
  say('anna@example.com', 'client.example', 'correct-horse', mailbox.password)
  const remoteMails = ['there\r\n\r\n.dots\r\n', `large\r\n\r\n${'.a line\r\n'.repeat(40_000)}`]
  for (const one of [maildrops, upgradedMaildrops])
    one.mails = remoteMails.map((text, at) => ({ uidl: `uidl-${at}`, octets: Buffer.from(`Subject: ${text}`) }))

  let [sessions, resident] = [0, 0]
  /** Where each session comes from, which no other one did. */
  const anew = () => `127.${3 + ((sessions >> 16) & 63)}.${(sessions >> 8) & 255}.${sessions & 255}`
  const userAt = ({ port }: { readonly port: number }) => `anna-${sessions}%localhost:${port}%${mailbox.mailboxId}`
  const places = (): Places => ({
    mailbox: mailbox.mailboxId,
    password: mailbox.password,
    honest: honest.mailboxId,
    address: mailbox.address,
    mailUser: userAt(mails),
    upgradedMailUser: userAt(upgradedMails),
    maildropUser: userAt(maildrops),
    upgradedMaildropUser: userAt(upgradedMaildrops),
  })
  const answerWith = (answers: Session['answers']) => {
    let asked = 0
    return () => answers[asked++] ?? undefined
  }
  const mustServe = async () => {
    assert.is(running.process.exitCode, null, running.output())
    const mail = Buffer.from(`Subject: honest ${sessions}\r\n\r\n.\r\nhonest\r\n`)
    const sender = await smtpClient(ports.smtp, { from: home })
    const answer = await sender.deliver(honest.address, mail)
    assert.ok(answer.startsWith('250 '), answer)
    await sender.quit()
    const collector = await pop3Client(ports.pop3s, { from: home })
    const welcome = await collector.login(honest.mailboxId, honest.password)
    assert.ok(welcome.startsWith('+OK'), welcome)
    const count = Number((await collector.command('STAT')).split(' ')[1])
    const last = await collector.retrieve(count)
    assert.ok(last.includes(mail), 'an honest mail comes as it was sent')
    for (let number = 1; number <= count; number += 1) await collector.command(`DELE ${number}`)
    assert.match(await collector.quit(), /^\+OK/)
  }
  const smtpWords = fc.oneof(
    spoilt(smtpDialogue(corpus.map(({ octets }) => octets))),
    spoilt(sentence('$$', content([]), joined(sentence('$$', fc.constantFrom('\r\n.\r\n', '\r\n'), smtpLine), 4))),
  )
  const pop3Words = fc.oneof(spoilt(pop3Dialogue([])), joined(sentence('$\r\n', pop3Line), 12))
  const anyAnswers = (answer: fc.Arbitrary<string>) => fc.array(fc.option(answer, { freq: 2 }), { maxLength: 8 })
  await mustServe()
  const known = statesKnown('smtpSession', 'submissionSession', 'smtpProxy', 'pop3Session', 'pop3Proxy')
  const reached = new Set<string>()
  return {
    inputs: fc.constantFrom(...ways).chain((way) => {
      const isPop3 = way === 'pop3' || way === 'pop3s'
      return fc
        .record({
          opening: fc.constantFrom(...Object.keys(openings[way])),
          said: segmented(isPop3 ? pop3Words : smtpWords),
          answers: anyAnswers(isPop3 ? pop3Answer : smtpAnswer),
        })
        .map(({ said, ...rest }) => ({ way, ...said, ...rest }))
    }),
    costs: 1000,
    // It waits for what a gateway says that waits for a provider.
    idle: 15_000,
    states: { known, reached },
    check: async ({ way, opening, octets, cuts, answers }) => {
      sessions += 1
      mails.answer = upgradedMails.answer = maildrops.answer = upgradedMaildrops.answer = answerWith(answers)
      for (const one of [mails, upgradedMails]) one.heard.length = one.mails.length = one.unended.length = 0
      for (const one of [maildrops, upgradedMaildrops]) one.heard.length = one.deleted.length = 0
      const here = places()
      const said = octets.replaceAll(ownMailbox, here.address)
      const begun = openings[way][opening]?.(here) ?? ''
      const pieces = [begun, ...piecesOf({ octets: said, cuts })].filter((piece) => piece !== '').map(bufferOf)
      const heard = await socketConversation({
        port: ports[way],
        tls: way.endsWith('s'),
        from: anew(),
        pieces,
        patience: patience[way],
      })
      if (way === 'pop3' || way === 'pop3s') assert.match(heard, /^\+OK /)
      else mustBeProxiedSmtp(heard)
      for (const { wire } of [...mails.mails, ...upgradedMails.mails])
        assert.not.match(wire.toString('latin1'), /\0|(?<!\r)\n|\r(?!\n)/)
      if (sessions % honestEvery === 0) await mustServe()
      if (sessions === 200) resident = residentOf(running.process.pid)
    },
    close: async () => {
      await mustServe()
      const grown = resident === 0 ? 0 : residentOf(running.process.pid) - resident
      assert.ok(grown < mostGrowth, `resident memory grew by ${grown} octets`)
      const defects = running
        .output()
        .split('\n')
        .filter((line) => /"level":(?:50|60)|unhandled|uncaught/i.test(line))
      assert.equal(defects, [])
      assert.is(await running.stop(), 0)
      await Promise.all(providers.map((one) => one.close()))
      await running.command('fsck', '--data', running.data)
      for (const event of await logIn(running.data)) {
        if (event.type !== 'SessionClosed') continue
        const written = readTranscript(event.data.transcript ?? '')
        for (const { state } of written?.steps ?? []) reached.add(`${written?.machine ?? ''} ${state}`)
      }
      running.remove()
    },
  }
})
