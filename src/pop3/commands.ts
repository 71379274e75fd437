/** A command line by its form alone (RFC 1939 §3); whether it makes sense is the machine's to say. */
export type Pop3Command =
  | { readonly verb: 'capa' | 'stls' | 'utf8' | 'quit' | 'noop' | 'stat' | 'rset' }
  | { readonly verb: 'list' | 'uidl'; readonly number: number | undefined }
  | { readonly verb: 'retr' | 'dele'; readonly number: number }
  | { readonly verb: 'top'; readonly number: number; readonly lines: number }
  /** `argument` is everything after the one space, as it came: it may be a secret. */
  | { readonly verb: 'user' | 'pass' | 'auth'; readonly argument: Buffer }
  | { readonly verb: 'malformed'; readonly syntax: string }
  | { readonly verb: 'unknown' }
  /** Longer than a command may be. */
  | { readonly verb: 'oversized' }

const SPACE = 0x20

/** `line` has no line end. Verbs in any case; trailing spaces are forgiven where no secret could end in them. */
export const parseCommand = (line: Buffer): Pop3Command => {
  const space = line.indexOf(SPACE)
  const verb = line.toString('latin1', 0, space < 0 ? line.length : space).toLowerCase()
  const argument = space < 0 ? line.subarray(line.length) : line.subarray(space + 1)
  switch (verb) {
    case 'user':
    case 'pass':
    case 'auth':
      return argument.length > 0 ? { verb, argument } : { verb: 'malformed', syntax: syntaxes[verb] }
    case 'capa':
    case 'stls':
    case 'utf8':
    case 'quit':
    case 'noop':
    case 'stat':
    case 'rset':
      return wordsOf(argument).length === 0 ? { verb } : { verb: 'malformed', syntax: verb.toUpperCase() }
    case 'list':
    case 'uidl':
    case 'retr':
    case 'dele':
    case 'top':
      return numbered(verb, wordsOf(argument).map(numberOf))
    default:
      return { verb: 'unknown' }
  }
}

const syntaxes = {
  user: 'USER name',
  pass: 'PASS password',
  auth: 'AUTH mechanism [initial-response]',
  list: 'LIST [number]',
  uidl: 'UIDL [number]',
  retr: 'RETR number',
  dele: 'DELE number',
  top: 'TOP number lines',
}

const wordsOf = (argument: Buffer) =>
  argument
    .toString('latin1')
    .split(' ')
    .filter((word) => word !== '')

/** Ten digits are more than any maildrop holds, and exact. */
const numberOf = (word: string) => (/^\d{1,10}$/.test(word) ? Number(word) : undefined)

type Numbered = 'list' | 'uidl' | 'retr' | 'dele' | 'top'

const numbered = (verb: Numbered, numbers: readonly (number | undefined)[]): Pop3Command => {
  const [number, lines] = numbers
  const wanted = verb === 'top' ? 2 : 1
  if ((verb === 'list' || verb === 'uidl') && numbers.length === 0) return { verb, number: undefined }
  if (numbers.length === wanted && number !== undefined) {
    if (verb !== 'top') return { verb, number }
    if (lines !== undefined) return { verb, number, lines }
  }
  return { verb: 'malformed', syntax: syntaxes[verb] }
}
