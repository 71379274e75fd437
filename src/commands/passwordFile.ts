import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Secret } from '../core/secret.ts'
import { failed } from './client.ts'

/** The file's one line, `-` for standard input; the end of the line is not part of the password. */
export const passwordIn = (file: string, cwd: string): Secret => {
  const password = secretIn(file, cwd, 'password').replace(/\r?\n$/, '')
  if (password === '') throw failed(`There is no password in ${file}`)
  if (password.includes('\n')) throw failed(`There is more than one line in ${file}`)
  return new Secret(password)
}

/** Everything in the file; `what` is in it. */
export const secretIn = (file: string, cwd: string, what: string): string => {
  try {
    return readFileSync(file === '-' ? 0 : resolve(cwd, file), 'utf8')
  } catch (error) {
    throw failed(`The ${what} cannot be read: ${error instanceof Error ? error.message : String(error)}`, error)
  }
}
