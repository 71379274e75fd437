import { isUtf8 } from 'node:buffer'
import type { ReplyName } from '../../actors/smtpReplies.ts'
import type { Address } from '../core/address.ts'
import { forwardPath, isBarePostmaster, isReversePath, type PathArgument, parsePathArgument } from './path.ts'
import { type MailParameters, parseMailParameters } from './parameters.ts'

/** A command that means no more than its name. */
type Plain = 'data' | 'rset' | 'noop' | 'vrfy' | 'help' | 'quit' | 'starttls' | 'auth' | 'unimplemented' | 'http'

/** What is the same for every peer. */
export type CommonCommand =
  | { readonly verb: Plain }
  | { readonly verb: 'hello'; readonly extended: boolean; readonly name: string }
  | { readonly verb: 'malformed'; readonly problem: ReplyName }

/** RFC 3030 §2: so many octets follow the line. */
export type BdatCommand = { readonly verb: 'bdat'; readonly size: number; readonly last: boolean }

/** One line of a journal sender, understood. */
export type Command =
  | CommonCommand
  | ({ readonly verb: 'mail'; readonly reversePath: string } & MailParameters)
  | BdatCommand
  | { readonly verb: 'sizeless' }
  | {
      readonly verb: 'rcpt'
      readonly forwardPath: Address | 'postmaster'
      readonly typed: string
      readonly ascii: boolean
    }

/** Octets of a command line without its CRLF: RFC 5321 §4.5.3.1.4, and ample room for parameters and UTF-8 paths. */
export const maxCommandLine = 4096

export const malformed = (problem: ReplyName): CommonCommand => ({ verb: 'malformed', problem })

const SPACE = 0x20
const TAB = 0x09

const visible = /^[^\p{Cc}\p{Zl}\p{Zp}]*$/v
const httpRequest = /^(?:OPTIONS|GET|HEAD|POST|PUT|PATCH|DELETE|TRACE|CONNECT) \S+ HTTP\/\d/iv

/** What follows a verb. */
export type ArgumentParsers<C> = Readonly<Partial<Record<string, (argument: string) => C>>>

/** RFC 5321 §4.1.1. `own` are verbs that not every peer may use so. The line is what stood before the CRLF. */
export const commandLineParser =
  <C>(own: ArgumentParsers<C>) =>
  (line: Buffer): C | CommonCommand => {
    // RFC 6531 §3.1: UTF-8. Control characters, bare CR and LF among them, have no place in a command.
    const text = isUtf8(line) ? line.toString('utf8', 0, endOfText(line)) : '\0'
    if (!visible.test(text.replaceAll('\t', ' '))) return malformed('notText')
    const [word = ''] = /^\S*/v.exec(text) ?? []
    const argument = text.slice(word.length).trimStart()
    const verb = word.toUpperCase()
    const parse = own[verb] ?? common[verb]
    return parse?.(argument) ?? (httpRequest.test(text) ? { verb: 'http' } : unknown)
  }

const unknown = malformed('unknownCommand')

/** Where the spaces and tabs at the end begin. A regular expression would look at every run of them as often as it is long. */
const endOfText = (line: Buffer): number => {
  let end = line.length
  while (end > 0 && (line[end - 1] === SPACE || line[end - 1] === TAB)) end -= 1
  return end
}

const alone =
  (verb: Plain) =>
  (argument: string): CommonCommand =>
    argument === '' ? { verb } : malformed('noArgument')

// RFC 5321 §4.1.4 forbids refusing a name that proves to be wrong: anything of visible ASCII will do.
const hello =
  (extended: boolean) =>
  (name: string): CommonCommand =>
    /^[!-~]{1,255}$/v.test(name) ? { verb: 'hello', extended, name } : malformed('helloSyntax')

/** The path of MAIL or RCPT, which stands behind `FROM:` or `TO:`. */
export const pathBehind = (keyword: RegExp, argument: string): PathArgument | undefined => {
  const [found] = keyword.exec(argument) ?? []
  return found === undefined ? undefined : parsePathArgument(argument.slice(found.length))
}
export const from = /^FROM:[ \t]*/iv
export const to = /^TO:[ \t]*/iv

const mail = (argument: string): Command => {
  const parsed = pathBehind(from, argument)
  if (parsed === undefined) return malformed('mailSyntax')
  if (!isReversePath(parsed.path)) return malformed('senderInvalid')
  const parameters = parseMailParameters(parsed.parameters)
  if (typeof parameters === 'string') return malformed(parameters)
  if (!parameters.smtpUtf8 && !isAscii(parsed.path)) return malformed('needsSmtpUtf8')
  return { verb: 'mail', reversePath: parsed.path, ...parameters }
}

const rcpt = (argument: string): Command => {
  const parsed = pathBehind(to, argument)
  if (parsed === undefined) return malformed('recipientSyntax')
  const address = isBarePostmaster(parsed.path) ? 'postmaster' : forwardPath(parsed.path)
  if (address === undefined) return malformed('recipientInvalid')
  if (parsed.parameters.length > 0) return malformed('parameterUnknown')
  return { verb: 'rcpt', forwardPath: address, typed: parsed.path, ascii: isAscii(parsed.path) }
}

const bdat = (argument: string): Command => {
  const [, size, last] = /^(\d{1,20})([ \t]+LAST)?$/iv.exec(argument) ?? []
  return size === undefined ? { verb: 'sizeless' } : { verb: 'bdat', size: Number(size), last: last !== undefined }
}

export const isAscii = (text: string) => /^\p{ASCII}*$/v.test(text)

const plain = (verb: Plain) => (): CommonCommand => ({ verb })

const common: ArgumentParsers<CommonCommand> = {
  EHLO: hello(true),
  HELO: hello(false),
  DATA: alone('data'),
  RSET: alone('rset'),
  QUIT: alone('quit'),
  STARTTLS: alone('starttls'),
  NOOP: plain('noop'),
  HELP: plain('help'),
  VRFY: (argument) => (argument === '' ? malformed('verifySyntax') : { verb: 'vrfy' }),
  AUTH: plain('auth'),
  ...Object.fromEntries(
    ['EXPN', 'BDAT', 'BURL', 'ETRN', 'TURN', 'ATRN', 'SEND', 'SOML', 'SAML'].map((verb) => [
      verb,
      plain('unimplemented'),
    ]),
  ),
}

/** Of a journal sender. The argument of AUTH is never looked at. */
export const parseCommandLine = commandLineParser<Command>({ MAIL: mail, RCPT: rcpt, BDAT: bdat })
