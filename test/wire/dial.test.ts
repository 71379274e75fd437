import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer, type TlsOptions, TLSSocket } from 'node:tls'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { addressPolicy } from '../../src/proxy/addresses.ts'
import { remoteContext } from '../../src/tls/authorities.ts'
import { dialler, type DialParts, type Wanted } from '../../src/proxy/dial.ts'
import { tlsSessions } from '../../src/proxy/tlsSessions.ts'
import { tlsFactsOf } from '../../src/wire/serveTls.ts'
import { testAuthority } from '../support/testAuthority.ts'
import { testCertificate } from './testCertificate.ts'

const test = suite('dialling remote servers')
const authority = await testAuthority()
const server = 'pop.example.test'
const valid = await authority.issue({ names: [server] })

const directory = mkdtempSync(join(tmpdir(), 'sealpost-'))
const caFile = join(directory, 'ca.pem')
writeFileSync(caFile, `A comment\n${authority.cert}`)
const vouchedBy = (file: string | undefined) => remoteContext({ setting: 'proxy.caFile', file })
const context = vouchedBy(caFile)

const open: Server[] = []
const sockets = new Set<Socket>()
test.after(() => {
  for (const socket of sockets) socket.destroy()
  for (const one of open) one.close()
  rmSync(directory, { recursive: true })
})

type Remote = { readonly port: number; readonly connections: Socket[] }

const listening = async (remote: Server, host = '127.0.0.1'): Promise<Remote> => {
  const connections: Socket[] = []
  remote.on('connection', (socket) => {
    sockets.add(socket.on('error', () => socket.destroy()))
    connections.push(socket)
  })
  remote.listen(0, host)
  await once(remote, 'listening')
  open.push(remote)
  return { port: (remote.address() as AddressInfo).port, connections }
}

const tlsServer = (options: TlsOptions) =>
  listening(createTlsServer(options, (socket) => void socket.on('error', () => {}).write('+OK hello\r\n')))
const plainServer = (onConnection: (socket: Socket) => void = () => {}) => listening(createServer(onConnection))

const usual: DialParts = {
  policy: addressPolicy({ networks: ['127.0.0.0/8'], ownAddresses: () => [], ownPorts: () => [] }),
  context,
  timeout: 5000,
  lookup: () => Promise.resolve(['127.0.0.1']),
}

const dial = (
  wanted: Partial<Wanted> & Pick<Wanted, 'ports'>,
  {
    networks = ['127.0.0.0/8'],
    ownPorts = [],
    ...parts
  }: Partial<DialParts> & { networks?: string[]; ownPorts?: number[] } = {},
) =>
  dialler({
    ...usual,
    policy: addressPolicy({ networks, ownAddresses: () => [], ownPorts: () => ownPorts }),
    ...parts,
  })({ server, signal: new AbortController().signal, ...wanted })

const failure = async (work: Promise<unknown>): Promise<GatewayError> => {
  const error: unknown = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.instance(error, GatewayError)
  return error as GatewayError
}

const implicit = ({ port }: Remote) => ({ port, tls: 'implicit' as const })
const upgrade = ({ port }: Remote) => ({ port, tls: 'upgrade' as const })
const either = ({ port }: Remote) => ({ port, tls: 'either' as const })

const heard = async (socket: Socket) => String(((await once(socket, 'data')) as [Buffer])[0])

test('a server with a valid certificate is reached, with TLS, at the address that was checked', async () => {
  const remote = await tlsServer(valid)
  const { socket, secure, address, port } = await dial({ ports: [implicit(remote)] })
  assert.is(secure, true)
  assert.equal([address, port], ['127.0.0.1', remote.port])
  assert.match(tlsFactsOf(socket)?.version ?? '', /^TLSv1\.[23]$/)
  assert.is(await heard(socket), '+OK hello\r\n')
  socket.destroy()
})

for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
  test(`a verified ${version} session is resumed, for the same name and port only`, async () => {
    const options = { ...valid, maxVersion: version }
    const [remote, other] = [await tlsServer(options), await tlsServer(options)]
    const remembering = dialler(usual)
    const isResumed = async (name: string, at: Remote) => {
      const { socket } = await remembering({
        server: name,
        ports: [implicit(at)],
        signal: new AbortController().signal,
      })
      // What a TLS 1.3 server gives comes with its first octets.
      await heard(socket)
      const isReused = socket instanceof TLSSocket && socket.isSessionReused()
      socket.destroy()
      return isReused
    }
    assert.is(await isResumed(server, remote), false)
    assert.is(await isResumed(server, remote), true)
    assert.is(await isResumed(server, other), false)
    const { code } = await failure(isResumed('mail.example.test', remote))
    assert.is(code, 'proxy-certificate')
    // What it gave before its name was found wrong is not kept.
    assert.is((await failure(isResumed('mail.example.test', remote))).code, 'proxy-certificate')
  })

test('a session stands for a certificate for ten minutes, and is given once', () => {
  let now = 0
  const sessions = tlsSessions(() => now)
  const [first, second] = [Buffer.from('1'), Buffer.from('2')]
  sessions.keep('a:995', first)
  sessions.keep('a:995', second)
  assert.equal([sessions.take('b:995'), sessions.take('a:995'), sessions.take('a:995')], [undefined, second, first])
  assert.is(sessions.take('a:995'), undefined)
  sessions.keep('a:995', first)
  now = 10 * 60_000
  assert.is(sessions.take('a:995'), undefined)
})

test('an IP address is a name like others: the certificate has to be for it', async () => {
  const right = await tlsServer(await authority.issue({ names: ['127.0.0.1'] }))
  const { socket, secure } = await dial({ server: '127.0.0.1', ports: [implicit(right)] })
  assert.ok(secure)
  socket.destroy()
  const { code } = await failure(dial({ server: '127.0.0.1', ports: [implicit(await tlsServer(valid))] }))
  assert.is(code, 'proxy-certificate')
})

const day = 86_400_000
const long = Array.from({ length: 9 }, (_, index) => `mx${index}.example.org`)
for (const [what, pair, why] of [
  [
    'another name',
    await authority.issue({ names: ['imap.example.org', '*.example.net'] }),
    /is not valid for that name: it is for imap\.example\.org, \*\.example\.net, so/,
  ],
  [
    'many other names',
    await authority.issue({ names: long }),
    /it is for mx0\.example\.org, mx1\.example\.org, mx2\.example\.org and 6 more, so/,
  ],
  [
    'a name with a line end',
    await authority.issue({ names: ['a\r\n+OK b.example'] }),
    /it is for no name that could be shown, so/,
  ],
  [
    'a time that is over',
    await authority.issue({ names: [server], notBefore: new Date('2001-01-01'), notAfter: new Date('2002-02-02') }),
    /has expired, so/,
  ],
  [
    'a time to come',
    await authority.issue({ names: [server], notBefore: new Date(Date.now() + day) }),
    /is not valid yet, so/,
  ],
  ['nobody to vouch for it', await testCertificate(), /is signed by itself only, so/],
  [
    'an unknown authority',
    await (await testAuthority('Another')).issue({ names: [server] }),
    /by an authority that this gateway does not know, so/,
  ],
] as const)
  test(`a certificate for ${what} is refused, with the reason, after STARTTLS too, and no other port is tried`, async () => {
    const remote = await tlsServer(pair)
    const next = await plainServer()
    const error = await failure(dial({ ports: [implicit(remote), upgrade(next)] }))
    assert.is(error.code, 'proxy-certificate')
    assert.match(error.message, why)
    assert.match(error.message, /^The certificate of pop\.example\.test [\x20-\x7e]+$/)
    assert.is(next.connections.length, 0)

    const clear = await plainServer(
      (socket) => void new TLSSocket(socket, { isServer: true, ...pair }).on('error', () => {}),
    )
    const dialled = await dial({ ports: [upgrade(clear)] })
    assert.is((await failure(dialled.startTls())).message, error.message)
  })

test('TLS before 1.2 is none', async () => {
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  const error = await failure(dial({ ports: [implicit(await tlsServer({ ...valid, ...old }))] }))
  assert.is(error.code, 'proxy-no-tls')
  assert.match(error.message, /offers no TLS 1\.2 or later/)
})

test('a server that greets in clear where TLS was expected has none; on a port of its own it may upgrade', async () => {
  const remote = await plainServer((socket) => {
    socket.write('+OK hello\r\n')
  })
  assert.is((await failure(dial({ ports: [implicit(remote)] }))).code, 'proxy-no-tls')
  const dialled = await dial({ ports: [either(remote)] })
  assert.is(dialled.secure, false)
  assert.is(await heard(dialled.socket), '+OK hello\r\n')
  dialled.socket.destroy()
})

/** Consents to every line and then speaks TLS, after `injected` in clear. */
const upgrading = (injected = '') =>
  plainServer((socket) => {
    socket.write('+OK hello\r\n')
    socket.once('data', () => {
      socket.write(`+OK begin\r\n${injected}`, () => {
        new TLSSocket(socket, { isServer: true, ...valid }).on('error', () => {}).write('+OK inside\r\n')
      })
    })
  })

/** One line and not an octet more. */
const line = async (socket: Socket) => {
  let text = ''
  while (!text.endsWith('\n')) {
    const octet = socket.read(1) as Buffer | null
    if (octet) text += octet.toString()
    else await once(socket, 'readable')
  }
  socket.removeAllListeners('readable')
  return text
}

test('after STARTTLS the certificate is verified and nothing of the time before is left', async () => {
  const dialled = await dial({ ports: [either(await upgrading())] })
  assert.is(await line(dialled.socket), '+OK hello\r\n')
  dialled.socket.write('STLS\r\n')
  assert.is(await line(dialled.socket), '+OK begin\r\n')
  const secured = await dialled.startTls()
  assert.is(await heard(secured), '+OK inside\r\n')
  secured.destroy()
})

test('octets that came in clear behind the consent to STARTTLS break the connection', async () => {
  const dialled = await dial({ ports: [upgrade(await upgrading('+OK injected\r\n'))] })
  await line(dialled.socket)
  dialled.socket.write('STLS\r\n')
  await line(dialled.socket)
  // One segment brought both.
  assert.is((await failure(dialled.startTls())).code, 'proxy-lost')
  assert.ok(dialled.socket.destroyed)
})

test('a server that goes on in clear after STARTTLS hears nothing but a ClientHello', async () => {
  let told = Buffer.alloc(0)
  const remote = await plainServer((socket) => {
    socket.on('data', (octets: Buffer) => {
      told = Buffer.concat([told, octets])
      socket.write('+OK go on\r\n')
    })
  })
  const dialled = await dial({ ports: [upgrade(remote)] })
  const error = await failure(dialled.startTls())
  assert.is(error.code, 'proxy-no-tls')
  // TLS: handshake record.
  assert.is(told[0], 0x16)
})

test('the next port is tried where the first cannot be reached', async () => {
  const remote = await plainServer()
  const closed = await plainServer()
  open.find((one) => (one.address() as AddressInfo | null)?.port === closed.port)?.close()
  const { secure, port, socket } = await dial({ ports: [implicit(closed), upgrade(remote)] })
  assert.equal([secure, port], [false, remote.port])
  socket.destroy()
  const error = await failure(dial({ ports: [implicit(closed)] }))
  assert.is(error.code, 'proxy-unreachable')
  assert.is(error.message, `pop.example.test cannot be reached on port ${closed.port}, try again later`)
})

test('a server that accepts and says nothing is given up after the time for its port, then the next is tried', async () => {
  const [silent, remote] = [await plainServer(), await plainServer()]
  const { port, socket } = await dial({ ports: [implicit(silent), upgrade(remote)] }, { timeout: 2000 })
  assert.is(port, remote.port)
  socket.destroy()
  assert.is((await failure(dial({ ports: [implicit(silent)] }, { timeout: 300 }))).code, 'proxy-unreachable')
})

test('who waits can give up: the connection is closed', async () => {
  const silent = await plainServer()
  const stop = new AbortController()
  const dialling = failure(dial({ ports: [implicit(silent)], signal: stop.signal }))
  while (silent.connections.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const [connection] = silent.connections
  assert.ok(connection)
  const closed = once(connection.resume(), 'close')
  stop.abort()
  assert.is((await dialling).code, 'connection-lost')
  await closed
  assert.is((await failure(dial({ ports: [implicit(silent)], signal: stop.signal }))).code, 'connection-lost')
})

test('a name that nobody knows is said to be one', async () => {
  const lookup = () => Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' }))
  const error = await failure(dial({ ports: [{ port: 1, tls: 'implicit' }] }, { lookup }))
  assert.is(error.code, 'proxy-unreachable')
  assert.match(error.message, /There is no server pop\.example\.test: check the user name/)
})

for (const addresses of [
  ['127.0.0.1'],
  ['::ffff:127.0.0.1'],
  ['::1', '127.0.0.1'],
  ['64:ff9b::7f00:1'],
  ['10.0.0.1'],
  [],
])
  test(`a name that stands for ${addresses.join(' and ') || 'no address'} is refused before anything is dialled`, async () => {
    const remote = await tlsServer(valid)
    const error = await failure(
      dial({ ports: [implicit(remote)] }, { networks: [], lookup: () => Promise.resolve(addresses) }),
    )
    assert.is(error.code, 'proxy-address')
    assert.is(remote.connections.length, 0)
  })

test('a name that answers otherwise the second time is asked once: the address that was checked is dialled', async () => {
  const remote = await listening(createTlsServer(valid), '0.0.0.0')
  const answers = [['127.0.0.1'], ['127.0.0.2'], ['127.0.0.2']]
  let asked = 0
  const lookup = () => Promise.resolve(answers[asked++] ?? [])
  const { socket, address } = await dial({ ports: [either(remote)] }, { lookup, networks: ['127.0.0.1/32'] })
  assert.equal([asked, address, remote.connections[0]?.localAddress], [1, '127.0.0.1', '127.0.0.1'])
  socket.destroy()
})

test('of several addresses only those are dialled that may be', async () => {
  const remote = await listening(createTlsServer(valid), '0.0.0.0')
  const lookup = () => Promise.resolve(['127.0.0.2', '10.0.0.1', '127.0.0.3'])
  const { socket } = await dial({ ports: [implicit(remote)] }, { lookup, networks: ['127.0.0.3/32'] })
  assert.equal(
    remote.connections.map(({ localAddress }) => localAddress),
    ['127.0.0.3'],
  )
  socket.destroy()
})

test("the gateway's own listeners are not dialled, although their network is listed", async () => {
  const remote = await tlsServer(valid)
  const error = await failure(dial({ ports: [implicit(remote)] }, { networks: ['0.0.0.0/0'], ownPorts: [remote.port] }))
  assert.is(error.code, 'proxy-address')
  assert.is(remote.connections.length, 0)
})

test('a file of authorities without one is refused by name at the start', () => {
  const file = join(directory, 'empty.pem')
  for (const [content, why] of [
    ['', /caFile .*empty\.pem holds no certificate/],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', /holds a certificate that cannot be read/],
  ] as const) {
    writeFileSync(file, content)
    assert.throws(
      () => vouchedBy(file),
      (error: GatewayError) => error.code === 'start-refused' && why.test(error.message),
    )
  }
  assert.throws(() => vouchedBy(join(directory, 'none.pem')), /cannot be read: ENOENT/)
})

test("without a file the system's authorities vouch: a test authority is not among them", async () => {
  const error = await failure(dial({ ports: [implicit(await tlsServer(valid))] }, { context: vouchedBy(undefined) }))
  assert.is(error.code, 'proxy-certificate')
})

test.run()
