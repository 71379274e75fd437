import { Writable } from 'node:stream'
import type { CommandFailure, RunCommand } from '../../ops/scratchGateway.ts'
import { commandLine } from '../../src/commands/commandLine.ts'

type Where = Parameters<RunCommand>[1]

const collected = () => {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write: (chunk: Buffer, _, done) => {
      chunks.push(chunk)
      done()
    },
  })
  return { stream, bytes: () => Buffer.concat(chunks) }
}

const ended = async (words: readonly string[], where: Where) => {
  const [stdout, stderr] = [collected(), collected()]
  const code = await commandLine(words, { stdout: stdout.stream, stderr: stderr.stream, ...where })
  return { code, stdout: stdout.bytes(), stderr: stderr.bytes() }
}

/** Runs a command of the command line in this process, however it ends: its exit code and what it printed. */
export const commandHere = async (words: readonly string[], where: Where) => {
  const { code, stdout, stderr } = await ended(words, where)
  return { code, stdout: stdout.toString(), stderr: stderr.toString() }
}

/** The same for a gateway's commands. */
export const runHere: RunCommand = async (words, where) => {
  const { code, stdout, stderr } = await ended(words, where)
  if (code === 0) return stdout
  const said = { code, stdout, stderr }
  const failure: CommandFailure = Object.assign(new Error(`${words.join(' ')}: ${stderr.toString()}`), said)
  throw failure
}
