import { isUtf8 } from 'node:buffer'
import type { ReplyName } from '../../actors/smtpReplies.ts'
import type { Address } from '../core/address.ts'
import { forwardPath, isBarePostmaster, isReversePath, parsePathArgument } from './path.ts'
import { type MailParameters, parseMailParameters } from './parameters.ts'

/** A command that means no more than its name. */
type Plain = 'data' | 'rset' | 'noop' | 'vrfy' | 'help' | 'quit' | 'starttls' | 'auth' | 'unimplemented' | 'http'

/** One line of a peer, understood. */
export type Command =
  | { readonly verb: Plain }
  | { readonly verb: 'hello'; readonly extended: boolean; readonly name: string }
  | ({ readonly verb: 'mail'; readonly reversePath: string } & MailParameters)
  | {
      readonly verb: 'rcpt'
      readonly forwardPath: Address | 'postmaster'
      readonly typed: string
      readonly ascii: boolean
    }
  | { readonly verb: 'malformed'; readonly problem: ReplyName }

/** Octets of a command line without its CRLF: RFC 5321 §4.5.3.1.4, and ample room for parameters and UTF-8 paths. */
export const maxCommandLine = 4096

const malformed = (problem: ReplyName): Command => ({ verb: 'malformed', problem })

const visible = /^[^\p{Cc}\p{Zl}\p{Zp}]*$/v
const httpRequest = /^(?:OPTIONS|GET|HEAD|POST|PUT|PATCH|DELETE|TRACE|CONNECT) \S+ HTTP\/\d/iv

/**
 * RFC 5321 §4.1.1. `line` is what stood before the CRLF; it holds no credentials when this is called for more than the
 * verb: the argument of AUTH is never looked at.
 */
export const parseCommandLine = (line: Buffer): Command => {
  // RFC 6531 §3.1: UTF-8. Control characters, bare CR and LF among them, have no place in a command.
  const text = isUtf8(line) ? line.toString('utf8').replace(/[ \t]+$/v, '') : '\0'
  if (!visible.test(text.replaceAll('\t', ' '))) return malformed('notText')
  const [verb = ''] = /^\S*/v.exec(text) ?? []
  const argument = text.slice(verb.length).trimStart()
  return parsers[verb.toUpperCase()]?.(argument) ?? (httpRequest.test(text) ? { verb: 'http' } : unknown)
}

const unknown = malformed('unknownCommand')

const alone =
  (verb: Plain) =>
  (argument: string): Command =>
    argument === '' ? { verb } : malformed('noArgument')

// RFC 5321 §4.1.4 forbids refusing a name that proves to be wrong: anything of visible ASCII will do.
const hello =
  (extended: boolean) =>
  (name: string): Command =>
    /^[!-~]{1,255}$/v.test(name) ? { verb: 'hello', extended, name } : malformed('helloSyntax')

const mail = (argument: string): Command => {
  const from = /^FROM:[ \t]*/iv.exec(argument)?.[0]
  const parsed = from === undefined ? undefined : parsePathArgument(argument.slice(from.length))
  if (parsed === undefined) return malformed('mailSyntax')
  if (!isReversePath(parsed.path)) return malformed('senderInvalid')
  const parameters = parseMailParameters(parsed.parameters)
  if (typeof parameters === 'string') return malformed(parameters)
  if (!parameters.smtpUtf8 && !isAscii(parsed.path)) return malformed('needsSmtpUtf8')
  return { verb: 'mail', reversePath: parsed.path, ...parameters }
}

const rcpt = (argument: string): Command => {
  const to = /^TO:[ \t]*/iv.exec(argument)?.[0]
  const parsed = to === undefined ? undefined : parsePathArgument(argument.slice(to.length))
  if (parsed === undefined) return malformed('recipientSyntax')
  const address = isBarePostmaster(parsed.path) ? 'postmaster' : forwardPath(parsed.path)
  if (address === undefined) return malformed('recipientInvalid')
  if (parsed.parameters.length > 0) return malformed('parameterUnknown')
  return { verb: 'rcpt', forwardPath: address, typed: parsed.path, ascii: isAscii(parsed.path) }
}

const isAscii = (text: string) => /^\p{ASCII}*$/v.test(text)

const plain = (verb: Plain) => (): Command => ({ verb })

const parsers: Readonly<Partial<Record<string, (argument: string) => Command>>> = {
  EHLO: hello(true),
  HELO: hello(false),
  MAIL: mail,
  RCPT: rcpt,
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
