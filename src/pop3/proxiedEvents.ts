import type { Pop3Event } from '../../actors/pop3Replies.ts'
import type { Proxied } from '../../actors/proxied.ts'
import { parseCommand } from './commands.ts'

const asked = (verb: Proxied['verb'], number?: number, lines?: number): Pop3Event => ({
  type: 'proxied',
  verb,
  number,
  lines,
})

/** A command of a client whose login another server has taken, as the machine takes it. */
export const proxiedEventOf = (line: Buffer): Pop3Event => {
  const command = parseCommand(line)
  switch (command.verb) {
    case 'capa':
    case 'quit':
    case 'noop':
    case 'stat':
    case 'rset':
      return asked(command.verb)
    case 'list':
      return command.number === undefined ? asked('list') : asked('listOne', command.number)
    case 'uidl':
      return command.number === undefined ? asked('uidl') : asked('uidlOne', command.number)
    case 'retr':
    case 'dele':
      return asked(command.verb, command.number)
    case 'top':
      return asked('top', command.number, command.lines)
    case 'unknown':
      return passes(line) ? asked('other') : { type: 'unknown' }
    case 'malformed':
      // A server that takes it for a RETR all the same must not get to see it.
      return { type: 'malformed', syntax: command.syntax }
    case 'stls':
    case 'utf8':
    case 'oversized':
      return { type: command.verb }
    default:
      return { type: command.verb, found: 'given' }
  }
}

/** Logins, and what changes the conversation in ways that the gateway does not follow (RFC 6856). */
const withheld = ['APOP', 'LANG']

const passes = (line: Buffer) => {
  const text = line.toString('latin1')
  return /^[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$/.test(text) && !withheld.includes(text.split(' ')[0]?.toUpperCase() ?? '')
}
