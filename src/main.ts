import { commandLine } from './commands/commandLine.ts'

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
