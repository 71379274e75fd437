import type { ScratchGateway } from '../../ops/scratchGateway.ts'

type Failed = { readonly code: number; readonly stdout: Buffer; readonly stderr: Buffer }

/** Runs a command however it ends: its exit code and what it printed. */
export const commandOn = async (gateway: ScratchGateway, ...args: readonly string[]) => {
  try {
    return { code: 0, stdout: await gateway.command(...args), stderr: '' }
  } catch (error) {
    // What `execFile` rejects with when the program has run.
    const { code, stdout, stderr } = error as Failed
    return { code, stdout: stdout.toString(), stderr: stderr.toString() }
  }
}
