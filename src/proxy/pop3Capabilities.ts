import type { Capable, Pop3Mechanism } from '../../actors/pop3ProxySetup.ts'

const mechanisms: readonly Pop3Mechanism[] = ['PLAIN', 'XOAUTH2', 'OAUTHBEARER']

/** Without CAPA: USER and PASS are as old as POP3, and whether STLS is there shows when it is asked for. */
export const silentCapable: Capable = { stls: true, user: true, mechanisms: [] }

const linesOf = (content: string) =>
  content.split('\r\n').flatMap((line) => {
    const words = line.split(' ').filter((word) => word !== '')
    return words.length > 0 ? [words] : []
  })
const nameOf = ([name = '']: readonly string[]) => name.toUpperCase()

/** RFC 2449 §5, from the content of a reply to CAPA. */
export const capableOf = (content: string): Capable => {
  const lines = linesOf(content)
  const has = (name: string) => lines.some((words) => nameOf(words) === name)
  const sasl = lines
    .filter((words) => nameOf(words) === 'SASL')
    .flat()
    .map((word) => word.toUpperCase())
  // Some of the oldest list neither, and take USER.
  return {
    stls: has('STLS'),
    user: has('USER') || sasl.length === 0,
    mechanisms: mechanisms.filter((name) => sasl.includes(name)),
  }
}

/** What belongs to the login, which is over, or changes the conversation in ways that the gateway does not follow. */
const hidden = ['STLS', 'SASL', 'USER', 'APOP', 'AUTH', 'UTF8', 'LANG', 'PIPELINING']

/** What a remote server can do as its client is told it, as the lines of a reply: commands may always come ahead of answers. */
export const passedCapabilities = (content: string): string =>
  [...linesOf(content).filter((words) => !hidden.includes(nameOf(words))), ['PIPELINING']]
    .map((words) => `${words.join(' ')}\r\n`)
    .join('')
