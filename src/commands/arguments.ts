import { parseArgs } from 'node:util'
import { type Command, commonOptions, gatewayOptions, type Given, type Option, UsageError } from './command.ts'

/** How the program is called from where it is installed. */
export const program = 'npm run -s sealpost --'

const allOptions = ({ options, isLocal }: Command) => ({
  ...options,
  ...(!isLocal && gatewayOptions),
  ...commonOptions,
})

/** Checks the words after a command's name against its table. Throws `UsageError`. */
export const readArguments = (command: Command, words: readonly string[]): Given => {
  const table = allOptions(command)
  const { values, operands } = split(table, words)
  const given = givenOf(values, operands)
  if (given.flag('help')) return given
  for (const [name, { required, multiple }] of Object.entries(table)) {
    if (required && given.all(name).length === 0) throw new UsageError(`--${name} is missing`)
    if (!multiple && given.all(name).length > 1) throw new UsageError(`--${name} is given more than once`)
  }
  const missing = command.operands[operands.length]
  if (missing !== undefined) throw new UsageError(`${missing} is missing`)
  const surplus = operands[command.operands.length]
  if (surplus !== undefined) throw new UsageError(`There is no place for "${surplus}"`)
  return given
}

type Values = Readonly<Record<string, readonly string[] | boolean | undefined>>

const split = (table: Readonly<Record<string, Option>>, words: readonly string[]) => {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, { value }]) => [
      name,
      value === undefined ? { type: 'boolean' as const } : { type: 'string' as const, multiple: true as const },
    ]),
  )
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      options: { ...options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
    // Flags are booleans and all others lists of strings: so say the options.
    return { values: values as Values, operands: positionals }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new UsageError(error.message.split(/\. |\n/)[0])
  }
}

const givenOf = (values: Values, operands: readonly string[]): Given => {
  const all = (option: string) => {
    const value = values[option]
    return typeof value === 'object' ? value : []
  }
  return {
    operands,
    flag: (option) => values[option] === true,
    all,
    optional: (option) => all(option)[0],
    text: (option) => {
      const [value] = all(option)
      if (value === undefined) throw new UsageError(`--${option} is missing`)
      return value
    },
  }
}

/** One line: how the command is called. */
export const usageLine = ({ name, operands, options }: Command) =>
  [program, name, ...operands, ...Object.entries(options).map(([option, of]) => shown(option, of))].join(' ')

const shown = (name: string, { value, required, multiple }: Option) => {
  const text = value === undefined ? `--${name}` : `--${name} ${value}`
  return `${required ? text : `[${text}]`}${multiple ? '…' : ''}`
}

/** Everything that is to be known about a command. */
export const usage = (command: Command): string => {
  const options = Object.entries(allOptions(command))
  const lines = options.map(([name, { value = '', about }]) => [`  --${name} ${value}`.padEnd(24), about].join(' '))
  const more = command.more === undefined ? '' : `\n${command.more()}`
  return `${command.summary}.\n\nUsage: ${usageLine(command)}\n\n${lines.join('\n')}\n${more}`
}
