import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Corpus } from './target.ts'

const folder = join(import.meta.dirname, '../vectors/fuzz')

/** The kept inputs of a target. */
export const corpusOf = (name: string): Corpus =>
  JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Corpus
