import { resolve } from 'node:path'
import type { Verification } from '../backup/verifyBackup.ts'
import type { Command } from './command.ts'
import { write, writeJson } from './output.ts'

export const backupVerify: Command = {
  name: 'backup verify',
  summary: 'Compare a backup with its manifest, and what lies in it with its log',
  operands: ['DIR'],
  isLocal: true,
  options: {},
  more: () => 'Reads every octet and changes nothing. Exit code 1 when something is not as it was backed up.\n',
  run: async (given, io) => {
    const { verifyBackup } = await import('../backup/verifyBackup.ts')
    const verification = await verifyBackup(resolve(io.cwd, given.operands[0] ?? ''))
    if (given.flag('json')) await writeJson(io.stdout, verification)
    else await write(io.stdout, told(verification))
    return verification.problems.length === 0 ? 0 : 1
  },
}

const told = ({ problems, begunAt, position, files, messages }: Verification) =>
  [
    ...problems,
    `Begun ${begunAt}, log up to position ${position}: ${files} files, ${messages} messages.`,
    problems.length === 0 ? 'All is as it was backed up.' : `${problems.length} problems.`,
    '',
  ].join('\n')
