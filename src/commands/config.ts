import { describeConfig, describeSettings } from '../config.ts'
import type { Command } from './command.ts'
import { configured } from './configured.ts'
import { write, writeJson } from './output.ts'

export const config: Command = {
  name: 'config',
  summary: 'Print the effective configuration as a commented sealpost.toml',
  operands: [],
  isLocal: true,
  options: {},
  more: () => `Keys, each also as an environment variable:\n${described()}`,
  run: async (given, io) => {
    const effective = configured(given, io)
    if (given.flag('json')) await writeJson(io.stdout, effective)
    else await write(io.stdout, describeConfig(effective))
    return undefined
  },
}

const described = () =>
  describeSettings()
    .map(
      ({ name, variable, expects, default: value = 'none', reason, live }) =>
        `\n  ${name}  (${variable}, default ${value})\n    ${reason}\n    Must be ${expects.replace(/,$/, '')}.${live ? ' SIGHUP is enough.' : ''}\n`,
    )
    .join('')
