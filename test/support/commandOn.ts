import type { CommandFailure, ScratchGateway } from '../../ops/scratchGateway.ts'

/** Runs a command however it ends: its exit code and what it printed. */
export const commandOn = async (gateway: ScratchGateway, ...args: readonly string[]) => {
  try {
    return { code: 0, stdout: await gateway.command(...args), stderr: '' }
  } catch (error) {
    const { code, stdout, stderr } = error as CommandFailure
    return { code, stdout: stdout.toString(), stderr: stderr.toString() }
  }
}
