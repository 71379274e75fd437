import { commands } from './all.ts'
import { program, readArguments, usage, usageLine } from './arguments.ts'
import { type Command, type Io, UsageError } from './command.ts'
import { GatewayError } from '../core/errors.ts'
import { version } from '../version.ts'

const overview = `Sealpost ${version}: a mail archiving gateway.

Usage: ${program} COMMAND [OPTION…]

${commands.map(({ name, summary }) => `  ${name.padEnd(18)} ${summary}\n`).join('')}
Every command takes --help, --json and --config FILE.
`

/** Does what the words say. Exit codes: 0, 1 for a failure, 2 for a command line that cannot be meant. */
export const commandLine = async (words: readonly string[], io: Io): Promise<number> => {
  const [first] = words
  if (first === undefined) return complain(io, 'Which command?')
  if (first === '--version') return say(io, `${version}\n`)
  if (first === '--help' || first === '-h') return say(io, overview)
  if (first === 'help') return help(words.slice(1), io)
  const command = commandIn(words)
  if (command === undefined) return complain(io, unknown(words))
  return run(command, words.slice(command.name.split(' ').length), io)
}

/** The one of the most words: what a command of one word takes as its operand may be the second word of another. */
const commandIn = (words: readonly string[]) =>
  commands
    .filter(({ name }) => name.split(' ').every((word, index) => words[index] === word))
    .toSorted((a, b) => b.name.length - a.name.length)[0]

const unknown = (words: readonly string[]) => {
  const [first = ''] = words
  const family = commands.filter(({ name }) => name.startsWith(`${first} `))
  if (family.length === 0) return `There is no command "${first}"`
  return `After "${first}" comes one of: ${family.map(({ name }) => name.slice(first.length + 1)).join(', ')}`
}

const help = (words: readonly string[], io: Io) => {
  if (words.length === 0) return say(io, overview)
  const command = commandIn(words)
  return command === undefined ? complain(io, unknown(words)) : say(io, usage(command))
}

const run = async (command: Command, words: readonly string[], io: Io): Promise<number> => {
  try {
    const given = readArguments(command, words)
    if (given.flag('help')) return say(io, usage(command))
    return (await command.run(given, io)) ?? 0
  } catch (error) {
    if (error instanceof UsageError) return complain(io, error.message, `Usage: ${usageLine(command)}\n`)
    io.stderr.write(`sealpost: ${textOf(error)}\n`)
    return 1
  }
}

const say = (io: Io, text: string) => {
  io.stdout.write(text)
  return 0
}

const complain = (io: Io, text: string, rest = `See: ${program} help\n`) => {
  io.stderr.write(`sealpost: ${text}\n${rest}`)
  return 2
}

/** One of ours says all that is to be said; anything else is a defect, and whoever reports it needs its stack. */
const textOf = (error: unknown) => {
  if (error instanceof GatewayError && (error.detail !== undefined || error.cause === undefined)) return error.message
  if (error instanceof GatewayError) return `${error.message} (${causeOf(error.cause)})`
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

const causeOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause))
