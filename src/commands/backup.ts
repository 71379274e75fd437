import { resolve } from 'node:path'
import { withData } from '../config.ts'
import type { BackupMade } from '../backup/makeBackup.ts'
import { type Command, dataOption, type Given, type Io, UsageError } from './command.ts'
import { configured, running } from './configured.ts'
import { isElsewhere } from './remotePlace.ts'
import { mustBeHere } from './offlineData.ts'
import { facts, write, writeJson } from './output.ts'

export const backup: Command = {
  name: 'backup',
  summary: 'Back everything up into a new directory, while the gateway runs',
  operands: ['DIR'],
  options: { data: { ...dataOption, about: 'Of this data directory, while no gateway runs on it' } },
  more: () => 'The running gateway writes it, as its own user. Check it with "backup verify DIR".\n',
  run: async (given, io) => {
    const made = await makeBackup(given, io, directoryOf(given, io))
    if (given.flag('json')) await writeJson(io.stdout, made)
    else await write(io.stdout, told(made))
    return undefined
  },
}

/** On the machine of the gateway: whoever asks from elsewhere must say all of it. */
const directoryOf = (given: Given, io: Io) => {
  const [directory = ''] = given.operands
  if (given.optional('data') !== undefined || !isElsewhere(given, io)) return resolve(io.cwd, directory)
  if (!directory.startsWith('/')) throw new UsageError("DIR is on the gateway's machine: it must begin with /")
  return directory
}

const makeBackup = async (given: Given, io: Io, directory: string): Promise<BackupMade> => {
  const data = given.optional('data')
  if (data === undefined) return running(given, io).post<BackupMade>('/v1/backups', { directory })
  mustBeHere(given)
  const { offlineBackup } = await import('../backup/offlineBackup.ts')
  return offlineBackup(withData(configured(given, io), data, io.cwd), directory)
}

const told = ({ directory, files, octets, position }: BackupMade) =>
  facts([
    ['Backup', directory],
    ['Files', String(files)],
    ['Octets', String(octets)],
    ['Log up to', `position ${position}`],
  ])
