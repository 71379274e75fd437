import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { GatewayError } from '../core/errors.ts'

/** Resolves when more may be written: output may go to a slow reader. */
export const write = async (stdout: Writable, text: string): Promise<void> => {
  if (!stdout.write(text)) await once(stdout, 'drain')
}

export const writeJson = (stdout: Writable, value: unknown): Promise<void> =>
  write(stdout, `${JSON.stringify(value)}\n`)

/** Octets as they are. Rejects if the connection that they come from breaks before they are whole. */
export const writeOctets = async (stdout: Writable, octets: AsyncIterable<Uint8Array>): Promise<void> => {
  try {
    await pipeline(octets, stdout, { end: false })
  } catch (error) {
    if (!isBroken(error)) throw error
    const detail = 'The connection broke: what was written is not the whole, and not to be trusted.'
    throw new GatewayError('connection-lost', { detail, cause: error })
  }
}

const isBroken = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ECONNRESET'

/** Rows under their headings, in columns. */
export const table = (headings: readonly string[], rows: readonly (readonly string[])[]): string => {
  const lines = [headings, ...rows]
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** Names and values of one thing, one a line. */
export const facts = (pairs: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...pairs.map(([name]) => name.length))
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd() + '\n').join('')
}
