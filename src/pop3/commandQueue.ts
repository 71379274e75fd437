import type { Channel } from '../wire/channel.ts'
import { parseCommand, type Pop3Command } from './commands.ts'
import { messagesAhead } from './lookAhead.ts'

/** Octets of a command line with its end (RFC 2449 §4). */
const commandLimit = 255
/** Octets of a response to a challenge (RFC 5034 §4). OAuth's tokens are long, and some clients send them with AUTH. */
const responseLimit = 16 * 1024

/** The commands that a peer has sent, one at a time and, for what may be prepared, a few ahead. */
export type CommandQueue = {
  next(): Pop3Command | undefined
  /** The next command as it came. */
  line(): Buffer | 'too-long' | undefined
  /** The next line, where it is not a command but the answer to a challenge. */
  response(): Buffer | 'too-long' | undefined
  /** The numbers of the RETRs that come next, up to the first other command. */
  retrsAhead(): readonly number[]
}

/** `longAuth`: a command may be as long as a response to a challenge. */
export const commandQueue = (channel: Channel, longAuth: boolean): CommandQueue => {
  const parsed: Pop3Command[] = []

  const read = (): Pop3Command | undefined => {
    const line = channel.line(longAuth ? responseLimit : commandLimit)
    return line === 'too-long' ? { verb: 'oversized' } : line && parseCommand(line)
  }
  const readOn = () => {
    while (parsed.length < messagesAhead && parsed.at(-1)?.verb !== 'oversized') {
      const command = read()
      if (!command) return
      parsed.push(command)
    }
  }
  return {
    next: () => parsed.shift() ?? read(),
    line: () => channel.line(commandLimit),
    response: () => channel.line(responseLimit),
    retrsAhead: () => {
      readOn()
      const numbers: number[] = []
      for (const command of parsed) {
        if (command.verb !== 'retr') break
        numbers.push(command.number)
      }
      return numbers
    },
  }
}
