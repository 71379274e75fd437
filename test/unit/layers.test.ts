import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const root = join(import.meta.dirname, '../..')
const useCases = [
  'archive',
  'retrieve',
  'mailboxes',
  'maildrop',
  'clientSetup',
  'openMessage',
  'login',
  'sessions',
  'refusals',
  'timeline',
  'audit',
]
const shells = ['smtp', 'pop3', 'http']

/** A room and the rooms of ours that it may import from; itself always. Type-only imports of an argument's shape are free. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  seal: ['core'],
  wire: ['core'],
  actors: ['core'],
  projections: ['core'],
  log: ['core', 'seal', 'disk'],
  disk: ['core'],
  vault: ['core', 'seal', 'disk', 'spent'],
  keys: ['core', 'seal', 'disk'],
  tls: ['core', 'seal', 'wire'],
  archive: ['core', 'seal', 'wire'],
  retrieve: ['core', 'seal'],
  retention: ['core', 'projections', 'mailboxes'],
  sweeper: ['core'],
  mailboxes: ['core', 'seal', 'actors', 'projections', 'keys'],
  maildrop: ['core'],
  clientSetup: ['core'],
  maildropLock: ['core'],
  maildropLease: ['core', 'maildropLock'],
  login: ['core'],
  openMessage: ['core', 'wire'],
  allEvents: ['core'],
  history: ['core', 'projections'],
  timeline: ['core', 'projections'],
  version: [],
  spent: [],
  sessions: ['core'],
  refusals: ['core'],
  pressure: ['core'],
  config: ['core', 'listeners'],
  logger: ['core'],
  dataDirectory: ['core', 'disk'],
  standIn: ['core', 'wire'],
  waiting: ['core'],
  access: ['core', 'disk', 'keys'],
  audit: ['core'],
  backup: ['core', 'disk', 'log', 'vault', 'keys', 'storage', 'fsck', 'dataDirectory', 'version'],
  metrics: ['core', 'projections', 'storage', 'wire'],
  storage: ['core', 'seal', 'disk', 'log', 'vault', 'keys', 'projections', 'archive', 'retrieve', 'history', 'spent'],
  senderChecks: ['core', 'spent', 'storage'],
  smtp: ['core', 'wire', 'actors', 'projections', 'proxy', 'spent', ...useCases],
  pop3: ['core', 'wire', 'actors', 'projections', 'proxy', ...useCases],
  http: ['core', 'wire', 'actors', 'projections', ...useCases],
  replaySession: ['core', 'actors'],
  lostSessions: ['core', 'projections'],
  relays: ['core', 'projections'],
  gatewayRecord: ['core'],
  nodeClaim: ['core'],
  listeners: ['core'],
  certificates: ['core', 'tls'],
  reload: ['core', 'config', 'certificates'],
  announcement: ['core'],
  snapshot: ['core', 'projections'],
  onlyActive: ['core', 'wire'],
  earlierRuns: ['core', 'lostSessions', 'relays'],
  currentMailboxes: ['core'],
  proxy: ['core', 'wire', 'tls', 'actors', 'projections', ...useCases],
  offline: ['core', 'log', 'vault', 'keys', 'mailboxes', 'retrieve', 'allEvents', 'history', 'dataDirectory'],
  offlineAccess: ['core', 'access', 'log', 'keys', 'dataDirectory'],
  fsck: ['core', 'log', 'vault', 'keys', 'allEvents', 'dataDirectory'],
  commands: [
    'core',
    'config',
    'logger',
    'gateway',
    'offline',
    'offlineAccess',
    'fsck',
    'backup',
    'replaySession',
    'dataDirectory',
    'version',
    'tls',
    'tlsCheck',
  ],
  tlsCheck: ['core', 'config', 'listeners', 'tls'],
  main: ['commands'],
}

/** The one room in which an outside library may be imported. */
const libraryHome: Readonly<Record<string, readonly string[]>> = {
  xstate: ['actors'],
  'smtp-server': ['smtp'],
  '@peculiar/webcrypto': ['seal'],
  '@peculiar/x509': ['tls'],
  'acme-client': ['tls'],
  'reflect-metadata': ['tls'],
  '@scure/base': ['seal'],
  fastify: ['http'],
  '@fastify/swagger': ['http'],
  '@fastify/type-provider-typebox': ['http'],
  typebox: ['http'],
  pino: ['logger'],
  'prom-client': ['metrics'],
  'smol-toml': ['config'],
  uuid: ['core'],
  mailauth: ['senderChecks'],
  '@eventstore/db-client': ['log'],
}

/** Libraries that one file alone may import: what a move to another would touch. */
const libraryFile: Readonly<Record<string, string>> = {
  '@eventstore/db-client': 'src/log/eventStoreDbClient.ts',
}

const sources = ['src', 'actors', 'projections'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
)

/** `src/smtp/trace.ts` → `smtp`, `src/archive.ts` → `archive`, `actors/…` → `actors`. */
const roomOf = (path: string) =>
  path
    .replace(/^src\//, '')
    .replace(/\.ts$/, '')
    .split('/')[0] ?? ''

type Import = { readonly from: string; readonly what: string; readonly typeOnly: boolean }

const importsOf = (path: string): readonly Import[] =>
  ts
    .createSourceFile(path, readFileSync(join(root, path), 'utf8'), ts.ScriptTarget.ESNext)
    .statements.filter((one) => ts.isImportDeclaration(one) || ts.isExportDeclaration(one))
    .flatMap((one) =>
      one.moduleSpecifier && ts.isStringLiteral(one.moduleSpecifier)
        ? [{ from: path, what: one.moduleSpecifier.text, typeOnly: isTypeOnly(one) }]
        : [],
    )

const isTypeOnly = (one: ts.ImportDeclaration | ts.ExportDeclaration): boolean => {
  if (ts.isExportDeclaration(one)) return one.isTypeOnly
  const names = one.importClause?.namedBindings
  if (one.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) return true
  return names !== undefined && ts.isNamedImports(names) && names.elements.every(({ isTypeOnly }) => isTypeOnly)
}

const imports = sources.flatMap(importsOf)
const ours = imports.filter(({ what }) => what.startsWith('.') && what.endsWith('.ts'))
const outside = imports.filter(({ what }) => !what.startsWith('.') && !what.startsWith('node:'))
const targetOf = ({ from, what }: Import) => relative(root, join(root, dirname(from), what))

test('every room imports only from the rooms below it', () => {
  const wrong = ours
    .filter(({ typeOnly }) => !typeOnly)
    .map((one) => ({ from: roomOf(one.from), to: roomOf(targetOf(one)), text: `${one.from} → ${targetOf(one)}` }))
    .filter(({ from, to }) => from !== to && from !== 'gateway' && !(mayImport[from] ?? []).includes(to))
  assert.equal(
    wrong.map(({ text }) => text),
    [],
  )
})

test('core imports nothing of ours, not even a type', () => {
  assert.equal(
    ours.filter((one) => roomOf(one.from) === 'core' && roomOf(targetOf(one)) !== 'core').map(({ what }) => what),
    [],
  )
})

test('every room is known to this test', () => {
  const rooms = new Set(sources.map(roomOf))
  assert.equal(
    [...rooms].filter((room) => room !== 'gateway' && !(room in mayImport)),
    [],
  )
})

test('only the command line imports the composition root', () => {
  const importers = ours.filter((one) => roomOf(targetOf(one)) === 'gateway' && roomOf(one.from) !== 'gateway')
  assert.equal(
    importers.filter((one) => roomOf(one.from) !== 'commands' || targetOf(one) !== 'src/gateway.ts'),
    [],
  )
})

test('each outside library is imported in one room only', () => {
  const wrong = outside.filter(({ from, what }) => !(libraryHome[packageOf(what)] ?? []).includes(roomOf(from)))
  assert.equal(
    wrong.map(({ from, what }) => `${from} → ${what}`),
    [],
  )
})

test('a library that may have to be replaced is imported in one file only', () => {
  const wrong = outside.filter(({ from, what }) => (libraryFile[packageOf(what)] ?? from) !== from)
  assert.equal(
    wrong.map(({ from, what }) => `${from} → ${what}`),
    [],
  )
})

test('no shell imports another shell', () => {
  const wrong = ours.filter(
    (one) =>
      shells.includes(roomOf(one.from)) &&
      shells.includes(roomOf(targetOf(one))) &&
      roomOf(one.from) !== roomOf(targetOf(one)),
  )
  assert.equal(
    wrong.map(({ from, what }) => `${from} → ${what}`),
    [],
  )
})

test('every test file runs its tests', () => {
  const silent = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .filter((name) => !readFileSync(join(root, 'test', name), 'utf8').includes('.run()'))
  assert.equal(silent, [])
})

test('every gateway of a test has its sessions replayed and its log searched when it stops', () => {
  const starter = 'startScratch' + 'Gateway('
  const starting = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) => readFileSync(join(root, 'test', name), 'utf8').includes(starter))
  assert.equal(starting, [join('support', 'testGateway.ts')])
})

const packageOf = (what: string) =>
  what
    .split('/')
    .slice(0, what.startsWith('@') ? 2 : 1)
    .join('/')

test.run()
