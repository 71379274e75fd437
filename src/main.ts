import { enableCompileCache } from 'node:module'
import { join } from 'node:path'

// Where it cannot be written there is no cache: starting takes longer, and every thread loads what strips the types.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, '../node_modules/.cache/sealpost')
enableCompileCache(process.env['NODE_COMPILE_CACHE'])
// Imported only now, so that what it imports is cached.
const { commandLine } = await import('./commands/commandLine.ts')

// Who reads no further, as `head` does, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const [, , ...words] = process.argv
const { stdout, stderr, env } = process
process.exitCode = await commandLine(words, { stdout, stderr, env, cwd: process.cwd() })
// The gateway has closed all that it opened, or cannot go on: nothing that lingers may keep the process.
if (words[0] === 'serve') process.exit()
