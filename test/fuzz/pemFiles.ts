import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { GatewayError } from '../../src/core/errors.ts'
import { authorities } from '../../src/tls/authorities.ts'
import { type Certificate, fits } from '../../src/tls/certificate.ts'
import { certificatesInFiles } from '../../src/tls/files.ts'
import { pairFiles } from '../../src/tls/pairFiles.ts'
import { contextOf } from '../../src/wire/serveTls.ts'
import { memoryKeys } from '../support/memoryKeys.ts'
import { testCertificate } from '../wire/testCertificate.ts'
import { anyMutations, bufferOf, joined, mutated, type Mutation, wordOf } from './octets.ts'
import { target } from './target.ts'

/** A file's parts, the keys and certificates of the run under their names, and what befell the whole. */
type Pem = { readonly text: string; readonly mutations: readonly Mutation[] }
type Files = { readonly key: Pem; readonly cert: Pem }

const junk = '-----BEGIN CERTIFICATE-----\nZ2FyYmFnZQ==\n-----END CERTIFICATE-----\n'
const keyParts = ['{key}', '{otherKey}', '{locked}', '{keyCrlf}', '{cert}', '-----BEGIN PRIVATE KEY-----\n', '# x\n']
const certParts = ['{cert}', '{cert}', '{other}', '{certCrlf}', '{key}', junk, 'subject=/CN=x\n', '\xef\xbb\xbf', '\n']
const pemOf = (parts: readonly string[]) =>
  fc.record({
    text: joined(wordOf(...parts), 3),
    mutations: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: anyMutations }),
  })

const withCrlf = (text: string) => text.replaceAll('\n', '\r\n')

/** What may stand in a file: pairs of this run, and what is made of them. */
const material = async () => {
  const [own, other] = [await testCertificate(), await testCertificate()]
  const locked = createPrivateKey(own.key).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-128-cbc',
    passphrase: 'correct-horse',
  })
  const words = new Map([
    ['{key}', own.key],
    ['{cert}', own.cert],
    ['{otherKey}', other.key],
    ['{other}', other.cert],
    ['{locked}', locked],
    ['{keyCrlf}', withCrlf(own.key)],
    ['{certCrlf}', withCrlf(own.cert)],
  ])
  const secrets = [own.key, other.key].flatMap((pem) => pem.match(/^[A-Za-z\d+\/=]{16}/gm) ?? [])
  return {
    /** Latin-1. */
    written: ({ text, mutations }: Pem) =>
      mutations.reduce(
        mutated,
        text.replaceAll(/\{[A-Za-z]+\}/g, (name) => words.get(name) ?? name),
      ),
    mustHide: (text: string) =>
      assert.not.ok(
        secrets.some((secret) => text.includes(secret)),
        text,
      ),
  }
}

/** A certificate that is taken can be shown to peers, and says what the gateway wants to know. */
const mustServe = (certificate: Certificate) => {
  assert.ok(fits(certificate))
  contextOf(certificate)
  assert.not.ok(Number.isNaN(certificate.notAfter.getTime() - certificate.notBefore.getTime()))
  assert.match(certificate.fingerprint, /^(?:[\dA-F]{2}:){31}[\dA-F]{2}$/)
}

/** Keys and certificates in files and in the key store: what is taken can be used, and a refusal tells nothing of a key. */
export const pemFiles = target<Files>(async (corpus) => {
  const folder = mkdtempSync(join(tmpdir(), 'sealpost-fuzz-'))
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const { written, mustHide } = await material()
  const refused = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      assert.ok(error instanceof GatewayError && error.code === 'start-refused', String(error))
      mustHide(error.message)
      return undefined
    }
  }
  return {
    inputs: fc.oneof(
      { weight: 20, arbitrary: fc.record({ key: pemOf(keyParts), cert: pemOf(certParts) }) },
      { weight: 1, arbitrary: fc.constantFrom(...corpus) },
    ),
    costs: 100,
    check: async (files) => {
      const [key, cert] = [bufferOf(written(files.key)), bufferOf(written(files.cert))]
      writeFileSync(keyFile, key)
      writeFileSync(certFile, cert)
      const paths = { certFile: [certFile], keyFile: [keyFile] }
      refused(() => certificatesInFiles(paths, new Date()))?.forEach(mustServe)
      const ca = refused(() => authorities({ setting: 'proxy.caFile', file: certFile }))
      if (ca) createSecureContext({ ca })
      const { keys } = memoryKeys()
      await keys.put('tls/own-1.pem', Buffer.concat([key, cert]))
      const { certificate } = await pairFiles(keys, 'tls/own-').newest()
      if (certificate) mustServe(certificate)
    },
    close: () => rmSync(folder, { recursive: true }),
  }
})
