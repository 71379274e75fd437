import { GatewayError } from '../../src/core/errors.ts'

/** The code of the failure that a promise rejects with; undefined when it resolves. Throws on for what has no code. */
export const codeOf = async (work: Promise<unknown>) => {
  try {
    await work
    return undefined
  } catch (error) {
    if (error instanceof GatewayError) return error.code
    throw error
  }
}
