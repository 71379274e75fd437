import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { rows } from '../../src/config/settings.ts'
import {
  acmeNames,
  changesBetween,
  type Config,
  configSha256,
  describeConfig,
  describeSettings,
  loadConfig,
  withData,
  withSettings,
} from '../../src/config.ts'
import { GatewayError } from '../../src/core/errors.ts'
import { Secret } from '../../src/core/secret.ts'
import { anySender } from '../../src/core/senderPolicy.ts'

const test = suite('config')
const machine = { hostname: 'Mail_01.example.com', hasIpv6: true }
const directories: string[] = []
test.after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true })
})

type Given = {
  readonly toml?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
  readonly file?: string
}

const directoryWith = (toml?: string | Uint8Array, name = 'sealpost.toml') => {
  const directory = mkdtempSync(join(tmpdir(), 'sealpost-'))
  directories.push(directory)
  if (toml !== undefined) writeFileSync(join(directory, name), toml)
  return directory
}

const load = ({ toml, env = {}, file }: Given = {}): Config =>
  loadConfig({ cwd: toml === undefined ? '/nowhere' : directoryWith(toml), env, file }, machine)

const refusal = (given: Given): string => {
  try {
    load(given)
  } catch (error) {
    assert.instance(error, GatewayError)
    assert.is((error as GatewayError).code, 'start-refused')
    return (error as GatewayError).detail ?? ''
  }
  throw new Error('the configuration was accepted')
}

test('without file and variables every key has its default', () => {
  assert.equal(load(), {
    gateway: {
      domain: 'localhost',
      data: '/nowhere/data',
      node: 'mail-01.example.com',
      loadBalancers: [],
      logLevel: 'info',
    },
    smtp: {
      host: '::',
      port: 2525,
      tlsPort: 'off',
      postmaster: undefined,
      senderChecks: 'off',
      clientCaFile: undefined,
      ...anySender,
    },
    submission: { host: '::', port: 2587 },
    smtps: { port: 2465 },
    pop3: { host: '::', port: 2110 },
    pop3s: { port: 2995 },
    admin: { host: '127.0.0.1', port: 8450, metrics: 'token' },
    log: { engine: 'sqlite', url: undefined },
    vault: { engine: 'packs', dir: undefined },
    keys: { dir: undefined },
    tls: { mode: 'self-signed', certFile: [], keyFile: [] },
    acme: {
      host: '::',
      port: 80,
      directory: 'https://acme-v02.api.letsencrypt.org/directory',
      terms: 'not-agreed',
      email: undefined,
      names: [],
      caFile: undefined,
    },
    mtaSts: { host: '::', port: 'off', mode: 'testing', mx: [], maxAge: 604_800 },
    proxy: {
      targets: [],
      networks: [],
      caFile: undefined,
      connections: 1000,
      connectionsPerClient: 500,
      dialTimeout: 10,
      loginTimeout: 60,
      holdTimeout: 30,
      replyTimeout: 600,
      answerTimeout: 300,
      bytesInFlight: 262_144,
    },
    retention: { grace: 604_800, sweep: 60 },
    limits: {
      messageSize: 209_715_200,
      recipients: 100,
      smtpSessions: 1000,
      pop3Sessions: 1000,
      sessionsPerClient: 500,
      messagesPerMinute: 12_000,
      smtpIdle: 300,
      senderChecks: 5,
      pop3Idle: 600,
      tlsHandshake: 60,
      slowestRate: 100,
      bytesInFlight: 67_108_864,
      logLag: 30,
      historyQuestions: 4,
      badCommands: 20,
      idleCommands: 100,
      maildropLease: 60,
      transcript: 65_536,
      diskReserve: 536_870_912,
    },
  })
})

test('a machine without IPv6 listens on every IPv4 address', () => {
  const { smtp, pop3 } = loadConfig({ cwd: '/', env: {} }, { ...machine, hasIpv6: false })
  assert.equal([smtp.host, pop3.host], ['0.0.0.0', '0.0.0.0'])
})

for (const [hostname, node] of [
  ['gw1', 'gw1'],
  ['-odd-', 'odd'],
  ['Ünï', 'n'],
  ['主机', 'gateway'],
  ['', 'gateway'],
  [`${'a'.repeat(62)}-b`, 'a'.repeat(62)],
] as const)
  test(`a host named "${hostname}" gives the node name ${node}`, () => {
    assert.is(loadConfig({ cwd: '/', env: {} }, { ...machine, hostname }).gateway.node, node)
  })

test('every key can be said in the file', () => {
  const toml = `
    [gateway]
    domain = "Archive.Example.com"
    data = "/var/lib/sealpost"
    node = "gw-1"
    loadBalancers = ["10.0.0.0/24"]
    logLevel = "off"
    [smtp]
    host = "192.0.2.1"
    port = 25
    tlsPort = 465
    postmaster = "mbx-0123456789abcdef0123456789abcdef"
    senderChecks = "record"
    networks = ["192.0.2.0/24"]
    requires = ["token", "tls"]
    certificateNames = ["Mail.Example.com"]
    refusal = "permanent"
    clientCaFile = "/etc/senders.pem"
    [submission]
    host = "192.0.2.2"
    port = 587
    [smtps]
    port = 465
    [pop3]
    host = "2001:db8::1"
    port = "off"
    [pop3s]
    port = 995
    [admin]
    host = "localhost"
    port = 0
    metrics = "open"
    [log]
    engine = "eventstoredb"
    url = "esdb://node1.example.com:2113"
    [vault]
    engine = "files"
    dir = "/mnt/vault"
    [keys]
    dir = "/mnt/keys"
    [tls]
    mode = "files"
    certFile = "/etc/ssl/fullchain.pem"
    keyFile = "/etc/ssl/privkey.pem"
    [acme]
    host = "127.0.0.1"
    port = 8080
    directory = "https://acme.example.com/directory"
    terms = "agreed"
    email = "postmaster@example.com"
    names = ["Mail.example.com"]
    caFile = "/etc/ssl/acme.pem"
    [mtaSts]
    host = "127.0.0.1"
    port = 8443
    mode = "enforce"
    mx = ["MX1.example.com"]
    maxAge = "14d"
    [proxy]
    targets = ["POP.Example.net", "smtp.example.net:465", "*.example.org", "192.0.2.7:995", "[2001:DB8:0:0::7]"]
    networks = ["10.0.0.0/8", "192.0.2.7", "2001:DB8:0::/32"]
    caFile = "/etc/ssl/providers.pem"
    connections = 10
    connectionsPerClient = 5
    dialTimeout = "5s"
    loginTimeout = "2m"
    holdTimeout = 20
    replyTimeout = "5m"
    answerTimeout = "1m"
    bytesInFlight = "1MiB"
    [retention]
    grace = "30d"
    sweep = "10s"
    [limits]
    messageSize = "1GiB"
    recipients = 1000
    smtpSessions = 1
    pop3Sessions = 2
    sessionsPerClient = 3
    messagesPerMinute = 4
    smtpIdle = "10m"
    senderChecks = "10s"
    pop3Idle = 3600
    tlsHandshake = "10s"
    slowestRate = 0
    bytesInFlight = "1GiB"
    logLag = "1m"
    historyQuestions = 1
    badCommands = 5
    idleCommands = 50
    maildropLease = "2m"
    diskReserve = "2GiB"`
  assert.equal(load({ toml }), {
    gateway: {
      domain: 'archive.example.com',
      data: '/var/lib/sealpost',
      node: 'gw-1',
      loadBalancers: ['10.0.0.0/24'],
      logLevel: 'off',
    },
    smtp: {
      host: '192.0.2.1',
      port: 25,
      tlsPort: 465,
      postmaster: 'mbx-0123456789abcdef0123456789abcdef',
      senderChecks: 'record',
      networks: ['192.0.2.0/24'],
      requires: ['tls', 'token'],
      certificateNames: ['mail.example.com'],
      refusal: 'permanent',
      clientCaFile: '/etc/senders.pem',
    },
    submission: { host: '192.0.2.2', port: 587 },
    smtps: { port: 465 },
    pop3: { host: '2001:db8::1', port: 'off' },
    pop3s: { port: 995 },
    admin: { host: 'localhost', port: 0, metrics: 'open' },
    log: { engine: 'eventstoredb', url: new Secret('esdb://node1.example.com:2113') },
    vault: { engine: 'files', dir: '/mnt/vault' },
    keys: { dir: '/mnt/keys' },
    tls: { mode: 'files', certFile: ['/etc/ssl/fullchain.pem'], keyFile: ['/etc/ssl/privkey.pem'] },
    acme: {
      host: '127.0.0.1',
      port: 8080,
      directory: 'https://acme.example.com/directory',
      terms: 'agreed',
      email: 'postmaster@example.com',
      names: ['mail.example.com'],
      caFile: '/etc/ssl/acme.pem',
    },
    mtaSts: { host: '127.0.0.1', port: 8443, mode: 'enforce', mx: ['mx1.example.com'], maxAge: 1_209_600 },
    proxy: {
      targets: ['pop.example.net', 'smtp.example.net:465', '*.example.org', '192.0.2.7:995', '[2001:db8::7]'],
      networks: ['10.0.0.0/8', '192.0.2.7/32', '2001:db8::/32'],
      caFile: '/etc/ssl/providers.pem',
      connections: 10,
      connectionsPerClient: 5,
      dialTimeout: 5,
      loginTimeout: 120,
      holdTimeout: 20,
      replyTimeout: 300,
      answerTimeout: 60,
      bytesInFlight: 1_048_576,
    },
    retention: { grace: 2_592_000, sweep: 10 },
    limits: {
      messageSize: 1_073_741_824,
      recipients: 1000,
      smtpSessions: 1,
      pop3Sessions: 2,
      sessionsPerClient: 3,
      messagesPerMinute: 4,
      smtpIdle: 600,
      senderChecks: 10,
      pop3Idle: 3600,
      tlsHandshake: 10,
      slowestRate: 0,
      bytesInFlight: 1_073_741_824,
      logLag: 60,
      historyQuestions: 1,
      badCommands: 5,
      idleCommands: 50,
      maildropLease: 120,
      transcript: 65_536,
      diskReserve: 2_147_483_648,
    },
  })
})

test('every key has a variable of its own, and the variable wins over the file', () => {
  assert.is(new Set(rows.map(({ variable }) => variable)).size, rows.length)
  const env = {
    SEALPOST_LIMITS_MESSAGE_SIZE: '300MiB',
    SEALPOST_SMTP_TLS_PORT: '4650',
    SEALPOST_GATEWAY_LOG_LEVEL: 'warn',
    SEALPOST_POP3S_PORT: 'off',
  }
  const { limits, smtp, gateway, pop3s } = load({ toml: '[limits]\nmessageSize = "1GiB"\nrecipients = 200', env })
  assert.equal([limits.messageSize, limits.recipients], [314_572_800, 200])
  assert.equal([smtp.tlsPort, gateway.logLevel, pop3s.port], [4650, 'warn', 'off'])
})

test('a relative data directory is taken from the directory of the file that says it', () => {
  const directory = directoryWith()
  mkdirSync(join(directory, 'etc'))
  writeFileSync(join(directory, 'etc/gateway.toml'), '[gateway]\ndata = "../mail"')
  const { gateway } = loadConfig({ cwd: directory, env: {}, file: 'etc/gateway.toml' }, machine)
  assert.is(gateway.data, join(directory, 'mail'))
  writeFileSync(join(directory, 'etc/gateway.toml'), '[vault]\ndir = "../shared/vault"\n[keys]\ndir = "keys"')
  const { vault, keys } = loadConfig({ cwd: directory, env: {}, file: 'etc/gateway.toml' }, machine)
  assert.equal([vault.dir, keys.dir], [join(directory, 'shared/vault'), join(directory, 'etc/keys')])
})

test('a relative data directory of a variable is taken from the working directory', () => {
  assert.is(load({ env: { SEALPOST_GATEWAY_DATA: 'mail' } }).gateway.data, '/nowhere/mail')
})

test('withData changes the data directory and nothing else', () => {
  const config = load()
  const { gateway, ...rest } = withData(config, 'copy', '/backup')
  assert.equal({ ...rest, gateway: { ...gateway, data: config.gateway.data } }, config)
  assert.is(gateway.data, '/backup/copy')
})

test('a certificate in files needs both files, and files are for that alone', () => {
  assert.is(
    refusal({ toml: '[tls]\nmode = "files"\ncertFile = "a"' }),
    'tls.mode = "files" needs tls.certFile and tls.keyFile',
  )
  assert.is(refusal({ toml: '[tls]\nkeyFile = "a"' }), 'tls.certFile and tls.keyFile are for tls.mode = "files"')
})

test('of several certificates each has its key, and all are found beside the file that names them', () => {
  const files = (certs: string, keys: string) => `[tls]\nmode = "files"\ncertFile = ${certs}\nkeyFile = ${keys}\n`
  const directory = directoryWith(files('["a.pem", "/b.pem"]', '["a.key", "b.key"]'))
  const config = loadConfig({ cwd: directory, env: {} }, machine)
  assert.equal(config.tls.certFile, [join(directory, 'a.pem'), '/b.pem'])
  assert.equal(config.tls.keyFile, [join(directory, 'a.key'), join(directory, 'b.key')])
  assert.equal(load({ toml: describeConfig(config) }), config)
  const env = { SEALPOST_TLS_MODE: 'files', SEALPOST_TLS_CERT_FILE: '/a, /b', SEALPOST_TLS_KEY_FILE: '/c, /d' }
  assert.equal(load({ env }).tls, { mode: 'files', certFile: ['/a', '/b'], keyFile: ['/c', '/d'] })
  assert.match(refusal({ toml: files('["a", "b"]', '"c"') }), 'must name as many files')
})

const acme = '[tls]\nmode = "acme"\n[acme]\nterms = "agreed"\n'
const world = '[gateway]\ndomain = "example.com"\n'

test('a certificate is ordered only by whoever agrees to the terms, for names of the world', () => {
  assert.equal(acmeNames(load({ toml: world + acme })), ['example.com'])
  assert.match(refusal({ toml: `${world}[tls]\nmode = "acme"` }), 'needs acme.terms = "agreed"')
  assert.match(refusal({ toml: acme }), 'needs names that the world knows, and localhost is none')
  assert.match(refusal({ toml: `${world}${acme}port = "off"` }), 'tls.mode = "acme" needs acme.port')
  assert.match(refusal({ toml: `${world}${acme}port = 2525` }), 'smtp.port and acme.port are both 2525')
  const [files, ordered] = [load({ toml: '[tls]\nmode = "files"\ncertFile = "a"\nkeyFile = "b"' }), load({ toml: world + acme })] // prettier-ignore
  assert.ok(changesBetween(files, ordered).left.includes('tls.mode'))
  assert.ok(changesBetween(ordered, files).left.includes('tls.mode'))
})

test('the name of the MTA-STS policy is ordered too, and a domain that only this machine knows has none', () => {
  const toml = `${world}${acme}names = ["mx.example.com"]\n[mtaSts]\nport = 8443\n`
  assert.equal(acmeNames(load({ toml })), ['mx.example.com', 'mta-sts.example.com'])
  assert.match(refusal({ toml: '[mtaSts]\nport = 443' }), 'mtaSts.port needs a gateway.domain that the world knows')
})

test('client certificates are asked for only where it is said who vouches for them', () => {
  const problem =
    'A client certificate is asked for by smtp.requires or smtp.certificateNames: that needs smtp.clientCaFile'
  for (const asks of ['requires = ["certificate"]', 'certificateNames = ["mail.example.com"]']) {
    assert.is(refusal({ toml: `[smtp]\n${asks}` }), problem)
    assert.equal(load({ toml: `[smtp]\n${asks}\nclientCaFile = "/senders.pem"` }).smtp.clientCaFile, '/senders.pem')
  }
  assert.equal(load({ env: { SEALPOST_SMTP_REQUIRES: 'token, tls' } }).smtp.requires, ['tls', 'token'])
})

test('what a running gateway can take is told from what it cannot, and taken alone', () => {
  const effective = load()
  const toml =
    '[limits]\nrecipients = 7\n[smtp]\nport = 25\n[gateway]\nlogLevel = "warn"\n[proxy]\ntargets = ["pop.example.net"]'
  const wanted = load({ toml })
  const { taken, left } = changesBetween(effective, wanted)
  assert.equal(
    [taken, left.toSorted()],
    [
      ['gateway.logLevel', 'limits.recipients'],
      ['gateway.data', 'proxy.targets', 'smtp.port'],
    ],
  )
  const next = withSettings(effective, wanted, taken)
  assert.equal([next.limits.recipients, next.gateway.logLevel, next.smtp.port], [7, 'warn', 2525])
  assert.equal(changesBetween(next, effective).taken, taken)
  const on = load({ toml: '[proxy]\ntargets = ["pop.example.net"]' })
  const more = load({ toml: '[proxy]\ntargets = ["pop.example.net", "*.example.org"]' })
  assert.equal(changesBetween(on, more).taken, ['proxy.targets'])
})

test('the configuration cannot be changed', () => {
  const config = load()
  assert.throws(() => Object.assign(config, { smtp: {} }), TypeError)
  assert.throws(() => Object.assign(config.limits, { recipients: 1 }), TypeError)
})

/** For each key, values that it refuses: as TOML writes them. */
const bad: Readonly<Record<string, readonly string[]>> = {
  'gateway.domain': ['""', '"a b"', '"-a.example"', '"münchen.example"', '"192.0.2.1"', '"example.com."', '1', '[]'],
  'gateway.data': ['""', '" "', '"a\\u0000b"', '1', 'true', '{ }'],
  'gateway.node': ['""', '"Upper"', '"a/b"', '"-a"', `"${'a'.repeat(64)}"`, '1'],
  'gateway.loadBalancers': ['"10.0.0.0/8"', '["10.0.0.0/33"]', '["balancer.example.net"]', '["*"]', 'true'],
  'gateway.logLevel': ['"debug"', '"INFO"', '1', '""'],
  'smtp.host': ['""', '"0.0.0.0:25"', '"[::1]"', '"a_b"', '2525', '"999.1.1.1"'],
  'smtp.port': ['-1', '65536', '25.5', '"25"', '"on"', '""', 'true', 'nan', '[25]', '2026-01-01'],
  'smtp.tlsPort': ['"OFF"', '99999'],
  'smtp.postmaster': ['"postmaster"', '"mbx-1"', '"mbx-0123456789ABCDEF0123456789ABCDEF"', '1'],
  'smtp.senderChecks': ['"on"', 'true', '"enforce"'],
  'smtp.networks': ['"192.0.2.0/24"', '["192.0.2.0/33"]', '[""]', '[1]'],
  'smtp.requires': ['"tls"', '["TLS"]', '["tls", "magic"]', '[1]', 'true'],
  'smtp.certificateNames': ['["*.example.com"]', '["192.0.2.1"]', '"mail.example.com"'],
  'smtp.refusal': ['"5xx"', '""', '550'],
  'smtp.clientCaFile': ['""', '1'],
  'submission.host': ['""', '"[::]"'],
  'submission.port': ['"on"', '65536'],
  'smtps.port': ['-1', 'true'],
  'pop3.host': ['""', 'false'],
  'pop3.port': ['1e9'],
  'pop3s.port': ['"none"'],
  'admin.host': ['"http://localhost"'],
  'admin.port': ['-8450'],
  'admin.metrics': ['true', '"public"'],
  'log.engine': ['"kurrentdb"', 'true'],
  'log.url': ['""', '2113', '"http://localhost:2113"'],
  'vault.engine': ['""', '"s3"', '1'],
  'vault.dir': ['""', '1'],
  'keys.dir': ['" "', 'false'],
  'tls.mode': ['"none"', '1'],
  'tls.certFile': ['""', '1'],
  'tls.keyFile': ['""', '[]', '["a", ""]'],
  'acme.host': ['""'],
  'acme.port': ['"on"', '65536'],
  'acme.directory': ['""', '"http://acme.example.com/"', '"acme.example.com"', '"https://user@example.com/"', '1'],
  'acme.terms': ['true', '""'],
  'acme.email': ['""', '"postmaster"', '"a b@example.com"', '"a@example.com,b@example.com"', '"a?b@example.com"'],
  'acme.names': ['"example.com"', '["*.example.com"]', '["192.0.2.1"]'],
  'acme.caFile': ['""', '[]'],
  'mtaSts.host': ['1'],
  'mtaSts.port': ['-1'],
  'mtaSts.mode': ['"on"', 'true'],
  'mtaSts.mx': ['["*"]', '"mx.example.com"'],
  'mtaSts.maxAge': ['-1', '31557601'],
  'proxy.targets': [
    ...['"pop.example.net"', '[1]', '[""]', '["a b"]', '["pop.example.net:0"]', '["pop.example.net:65536"]', '["a:b"]'],
    ...['["*pop.example.net"]', '["*.*"]', '["*."]', '["2001:db8::1"]', '["[fe80::1%eth0]"]', '["a\\r\\n"]', '["a%b"]'],
  ],
  'proxy.networks': [
    '"10.0.0.0/8"',
    '["10.0.0.0/33"]',
    '["10.0.0/8"]',
    '["::/129"]',
    '["example.net"]',
    '["10.0.0.0/"]',
  ],
  'proxy.caFile': ['""', '[]'],
  'proxy.connections': ['0', '100001'],
  'proxy.connectionsPerClient': ['0', '"1"'],
  'proxy.dialTimeout': ['0', '"6m"'],
  'proxy.loginTimeout': ['0', '"11m"'],
  'proxy.holdTimeout': ['0', '"6m"'],
  'proxy.replyTimeout': ['0', '"2h"'],
  'proxy.answerTimeout': ['0', '"2h"'],
  'proxy.bytesInFlight': ['0', '"128MiB"', '"1KiB"'],
  'retention.grace': ['-1', '"3651d"', '"for ever"'],
  'retention.sweep': ['0', '"2d"'],
  'limits.messageSize': ['0', '65535', '"64"', '"63KiB"', '"3GiB"', '"200 mb"', '"200MB"', '"-1MiB"', '"1.5MiB"'],
  'limits.recipients': ['0', '10001', '"100"', '1.5'],
  'limits.smtpSessions': ['0', '100001'],
  'limits.pop3Sessions': ['0', '"many"'],
  'limits.sessionsPerClient': ['0', '"5"'],
  'limits.messagesPerMinute': ['0', '10000001', '"1/s"'],
  'limits.smtpIdle': ['0', '"0s"', '"5"', '"5min"', '"2d"', '"m"', '-1'],
  'limits.senderChecks': ['0', '"2m"'],
  'limits.pop3Idle': ['86401', '"25h"'],
  'limits.tlsHandshake': ['0', '"11m"'],
  'limits.slowestRate': ['-1', '1000001'],
  'limits.bytesInFlight': ['0', '"64KiB"', '"65GiB"'],
  'limits.logLag': ['0', '"11m"'],
  'limits.historyQuestions': ['0', '101', '"4"'],
  'limits.badCommands': ['0', 'inf'],
  'limits.idleCommands': ['0', '"many"'],
  'limits.maildropLease': ['4', '"2h"'],
  'limits.transcript': ['0', '1023', '"1MiB"', '"64"'],
  'limits.diskReserve': ['-1', '"2TiB"', '"5%"'],
}

test('every key is among those whose bad values are tried', () => {
  assert.equal(
    Object.keys(bad),
    rows.map(({ name }) => name),
  )
})

for (const { name, section, key, setting } of rows)
  test(`${name} refuses bad values, naming itself, the file and what it expects`, () => {
    for (const value of bad[name] ?? []) {
      const detail = refusal({ toml: `[${section}]\n${key} = ${value}` })
      const found = setting.kind.secret ? ' (' : ', not '
      assert.ok(detail.startsWith(`${name} must be ${setting.kind.expects}${found}`), `${value}: ${detail}`)
      assert.match(detail, /\(\/.*sealpost\.toml\)$/)
    }
  })

for (const { name, variable } of rows)
  test(`${variable} refuses what ${name} cannot be, naming itself`, () => {
    const detail = refusal({ env: { [variable]: '\0' } })
    assert.ok(detail.startsWith(`${name} must be `), detail)
    assert.ok(detail.endsWith(`(environment variable ${variable})`), detail)
  })

test('an empty variable is refused, not taken for one that is not there', () => {
  assert.match(refusal({ env: { SEALPOST_GATEWAY_DATA: '' } }), /^gateway\.data must be .*, not ""/)
})

test('an unknown section or key is refused, with those that there are', () => {
  assert.match(refusal({ toml: '[imap]\nport = 1' }), /^There is no section \[imap\]; there are \[gateway\], \[smtp\]/)
  assert.match(refusal({ toml: '[smtp]\nprot = 25' }), /^There is no key smtp\.prot; there are host, port, tlsPort/)
  assert.match(refusal({ toml: 'domain = "a"' }), /^There is no section \[domain\]/)
})

test('names that every object has are unknown keys too', () => {
  for (const name of ['__proto__', 'constructor', 'toString']) {
    assert.match(refusal({ toml: `[${name}]` }), /^There is no section/)
    assert.match(refusal({ toml: `[smtp]\n${name} = 1` }), /^There is no key smtp\./)
  }
})

for (const section of ['smtp = 25', '[[smtp]]\nport = 25', 'smtp = 2026-01-01'])
  test(`a section written as ${JSON.stringify(section)} is refused`, () => {
    assert.match(refusal({ toml: section }), /^smtp must be a section, written as \[smtp\]/)
  })

test('an unknown variable is refused without its value, which may be a secret', () => {
  const detail = refusal({ env: { SEALPOST_LOG_PASSWORD: 'hunter2' } })
  assert.match(detail, /SEALPOST_LOG_PASSWORD sets nothing/)
  assert.not.match(detail, /hunter2/)
})

test('variables that Kubernetes sets for a service of the same name are passed over', () => {
  const env = {
    SEALPOST_PORT: 'tcp://10.0.0.1:2525',
    SEALPOST_SERVICE_HOST: '10.0.0.1',
    SEALPOST_SERVICE_PORT_SMTP: '2525',
    SEALPOST_PORT_2525_TCP_ADDR: '10.0.0.1',
    SEALPOST_SMTP_PORT: 'tcp://10.0.0.1:25',
  }
  assert.equal(load({ env }), load())
})

test('all that is wrong is said at once, one problem a line', () => {
  const detail = refusal({ toml: '[smtp]\nport = "x"\nfoo = 1\n[pop3]\nport = 1.5', env: { SEALPOST_ADMIN_PORT: 'y' } })
  assert.is(detail.split('\n').length, 4)
})

test('broken TOML is refused with its line', () => {
  assert.match(refusal({ toml: '[smtp]\nport = \n' }), /sealpost\.toml, line 2, column \d+: \S/)
  assert.match(refusal({ toml: '[smtp]\nport = 1\nport = 2' }), /sealpost\.toml, line 3/)
})

test('a file that is not UTF-8 is refused, a byte order mark is not', () => {
  assert.match(refusal({ toml: Buffer.from('[smtp]\n# \xff', 'latin1') }), /is not UTF-8 text$/)
  assert.is(load({ toml: '\uFEFF[smtp]\nport = 26' }).smtp.port, 26)
})

test('a named file must exist, sealpost.toml need not', () => {
  assert.match(refusal({ file: 'missing.toml' }), /^There is no configuration file \/nowhere\/missing\.toml$/)
  assert.match(refusal({ file: directoryWith() }), /cannot be read: EISDIR/)
})

test('two listeners on one port are refused by name, on different addresses they are not', () => {
  assert.is(
    refusal({ toml: '[smtp]\nport = 2110' }),
    'smtp.port and pop3.port are both 2110: each listener needs a port of its own',
  )
  assert.is(load({ toml: '[smtp]\nhost = "192.0.2.1"\nport = 8450' }).smtp.port, 8450)
  assert.is(
    load({ toml: '[smtp]\nport = 0\n[pop3]\nport = 0\n[pop3s]\nport = "off"\n[admin]\nport = "off"' }).pop3.port,
    0,
  )
})

test('the ports of mail clients are in the way of others only while the proxy is on', () => {
  const env = { SEALPOST_SMTP_PORT: '2465' }
  assert.is(load({ env }).smtp.port, 2465)
  assert.match(refusal({ env: { ...env, SEALPOST_PROXY_TARGETS: '*' } }), /^smtp\.port and smtps\.port are both 2465/)
})

test('a list in a variable is separated by commas', () => {
  const { proxy } = load({
    env: { SEALPOST_PROXY_TARGETS: 'pop.example.net, *.example.org:995', SEALPOST_PROXY_NETWORKS: '10.0.0.0/8' },
  })
  assert.equal(proxy.targets, ['pop.example.net', '*.example.org:995'])
  assert.equal(proxy.networks, ['10.0.0.0/8'])
  assert.match(refusal({ env: { SEALPOST_PROXY_TARGETS: '' } }), /^proxy\.targets must be a list of servers/)
})

test('a list that is refused is shown, and one that was taken cannot be changed', () => {
  assert.match(refusal({ toml: '[proxy]\ntargets = ["a b"]' }), /, not \["a b"\] \(/)
  assert.throws(() => Object.assign(load({ toml: '[proxy]\ntargets = ["*"]' }).proxy.targets, ['a']), TypeError)
})

test('the file of authorities is found beside the file that names it', () => {
  const directory = directoryWith('[proxy]\ncaFile = "ca.pem"')
  assert.is(loadConfig({ cwd: directory, env: {} }, machine).proxy.caFile, join(directory, 'ca.pem'))
})

/** Configurations that somebody may write. */
const written = fc.record(
  {
    SEALPOST_GATEWAY_DOMAIN: fc.domain(),
    SEALPOST_GATEWAY_DATA: fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((path) => /^[^\0]*$/.test(path) && path.trim() !== ''),
    SEALPOST_SMTP_HOST: fc.oneof(fc.ipV4(), fc.ipV6()),
    SEALPOST_SMTP_TLS_PORT: fc.constantFrom('off', '0', '465'),
    SEALPOST_SMTP_POSTMASTER: fc.stringMatching(/^mbx-[0-9a-f]{32}$/),
    SEALPOST_PROXY_TARGETS: fc.constantFrom('*', 'pop.example.net,*.example.org:995', '[2001:DB8::0:1]:995'),
    SEALPOST_LIMITS_MESSAGE_SIZE: fc.integer({ min: 65_536, max: 2 ** 31 }).map(String),
    SEALPOST_LIMITS_SMTP_IDLE: fc.oneof(fc.integer({ min: 1, max: 86_400 }).map(String), fc.constantFrom('1d', '90m')),
  },
  { requiredKeys: [] },
)

test('the described configuration, loaded again, is the same configuration with the same digest', () => {
  const directory = directoryWith()
  fc.assert(
    fc.property(written, (env) => {
      const config = loadConfig({ cwd: '/nowhere', env: definedIn(env) }, machine)
      writeFileSync(join(directory, 'sealpost.toml'), describeConfig(config))
      const again = loadConfig({ cwd: directory, env: {} }, { hostname: 'elsewhere', hasIpv6: false })
      assert.equal(again, config)
      assert.is(configSha256(again), configSha256(config))
    }),
    { numRuns: 100 },
  )
})

const definedIn = (env: Readonly<Record<string, string | undefined>>) =>
  Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined))

test('another value gives another digest', () => {
  const digests = [{}, { SEALPOST_SMTP_PORT: '26' }, { SEALPOST_SMTP_TLS_PORT: '26' }].map((env) =>
    configSha256(load({ env })),
  )
  assert.is(new Set(digests).size, 3)
  assert.match(digests[0] ?? '', /^[0-9a-f]{64}$/)
})

test('every key is described with its variable, default and reason', () => {
  const described = describeSettings(machine)
  assert.is(described.length, rows.length)
  const idle = described.find(({ name }) => name === 'limits.smtpIdle')
  assert.is(idle?.variable, 'SEALPOST_LIMITS_SMTP_IDLE')
  assert.is(idle?.default, '5m')
  assert.ok(described.every(({ reason }) => reason.endsWith('.')))
})

const store = (url: string, engine = 'eventstoredb') => ({
  env: { SEALPOST_LOG_ENGINE: engine, SEALPOST_LOG_URL: url },
})

for (const url of [
  'esdb://localhost:2113?tls=false',
  'esdb://127.0.0.1?tls=false',
  'esdb://node1.example.com:2113',
  'esdb://sealpost:p%40ss@node1.example.com:2113?tlsCAFile=/etc/ca.pem',
  'esdb+discover://sealpost:pass@cluster.example.com:2113?tls=true&keepAliveInterval=10000',
  'esdb://sealpost:pass@node1.example.com:2113,node2.example.com:2113,node3.example.com:2113',
])
  test(`the event store may be ${url}`, () => {
    const { log } = load(store(url))
    assert.is(log.engine, 'eventstoredb')
    assert.is(log.url?.reveal(), url)
  })

for (const [url, why] of [
  ['esdb://node1.example.com:2113?tls=false', /must use TLS/],
  ['esdb://localhost:2113,node1.example.com:2113?tls=false', /must use TLS/],
  ['esdb://10.0.0.1:2113?tls=false', /must use TLS/],
  ['esdb://127.example.com:2113?tls=false', /must use TLS/],
  ['esdb://admin:hidden@localhost:2113?tls=false', /credentials and tls=false/],
  ['esdb://admin:hidden@10.0.0.1:2113', /not by IP addresses/],
  ['esdb://admin:hidden@node1.example.com:2113?tlsVerifyCert=false', /not supported: tlsverifycert/],
  ['esdb://admin:hidden@node1.example.com:2113?throwOnAppendFailure=false', /not supported: throwonappendfailure/],
  ['esdb://admin:hidden@node1.example.com:2113?nodePreference=follower', /prefer the leader/],
  ['esdb://admin:hid:den@node1.example.com:2113', /as user:password/],
  ['https://admin:hidden@node1.example.com', /must be a connection string/],
  ['esdb://admin:hid@den@node1.example.com:2113', /must be a connection string/],
  ['esdb://admin:hid?den@node1.example.com:2113', /not supported$/m],
] as const)
  test(`the event store may not be ${url}, and its password is not repeated`, () => {
    const detail = refusal(store(url))
    assert.match(detail, why)
    assert.not.match(detail, /hid/)
  })

test('an engine and its url go together', () => {
  assert.match(refusal({ env: { SEALPOST_LOG_ENGINE: 'eventstoredb' } }), /needs log\.url/)
  assert.match(refusal(store('esdb://localhost?tls=false', 'sqlite')), /is for log\.engine/)
})

test('a password in the url is neither printed nor in the digest; the rest of the url is', () => {
  const url = (password: string) => `esdb://sealpost:${password}@node1.example.com:2113`
  const config = load(store(url('hidden')))
  assert.not.match(describeConfig(config), /hidden/)
  assert.not.match(JSON.stringify(config), /hidden/)
  assert.is(configSha256(config), configSha256(load(store(url('another')))))
  const [one, two] = [load(store('esdb://localhost:1?tls=false')), load(store('esdb://localhost:2?tls=false'))]
  assert.match(describeConfig(one), /url = "esdb:\/\/localhost:1\?tls=false"/)
  assert.is.not(configSha256(one), configSha256(two))
})

test.run()
