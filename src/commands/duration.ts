import { duration } from '../config/kinds.ts'
import { UsageError } from './command.ts'

const kind = duration(1, 3650 * 86_400)

/** The seconds that an option says. */
export const secondsIn = (option: string, text: string): number => {
  const seconds = kind.read(/^\d+$/.test(text) ? Number(text) : text)
  if (seconds === undefined) throw new UsageError(`--${option} must be ${kind.expects}`)
  return seconds
}
