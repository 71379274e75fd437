import type { FsckReport } from '../fsck.ts'
import { withData } from '../config.ts'
import { type Command, dataOption } from './command.ts'
import { configured } from './configured.ts'
import { write, writeJson } from './output.ts'

export const fsck: Command = {
  name: 'fsck',
  summary: 'Compare vault and keys with the event log, while no gateway runs on them',
  operands: [],
  isLocal: true,
  options: {
    repair: {
      about:
        'Remove what is left of destroyed messages and mailboxes, and objects without events that are older than a day',
    },
    data: { ...dataOption, about: 'This data directory, not the configured one' },
  },
  more: () => 'Exit code 1 when something that the log says is not so.\n',
  run: async (given, io) => {
    const { fsck } = await import('../fsck.ts')
    const data = given.optional('data')
    const config = data === undefined ? configured(given, io) : withData(configured(given, io), data, io.cwd)
    const progress = (line: string) => void io.stderr.write(`${line}\n`)
    const report = await fsck({ config, repair: given.flag('repair'), progress })
    if (given.flag('json')) await writeJson(io.stdout, report)
    else await write(io.stdout, told(report))
    return report.problems.length === 0 ? 0 : 1
  },
}

const told = ({ problems, leftovers, removed, messages, objects }: FsckReport) =>
  [
    ...problems,
    ...leftovers,
    `${messages} messages, ${objects} objects, ${removed} removed, ${leftovers.length} leftovers.`,
    problems.length === 0 ? 'All that the log says is so.' : `${problems.length} problems.`,
    '',
  ].join('\n')
