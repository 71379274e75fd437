import type { Extensions } from '../../actors/proxiedSmtp.ts'
import type { SubmissionEvent } from '../../actors/submissionSetup.ts'
import type { PutOff } from '../core/putOff.ts'
import {
  type CommonCommand,
  commandLineParser,
  from,
  isAscii,
  malformed,
  maxCommandLine,
  pathBehind,
  to,
} from './commandLine.ts'
import { type MailParameters, mailReaders, parseParameters, type Reader } from './parameters.ts'

type SubmittedParameters = MailParameters & { readonly eightBit: boolean }

/** One line of a mail client, understood. Paths and parameters are as typed: the remote server judges them. */
export type SubmittedCommand =
  | CommonCommand
  /** Not offered, and so not parsed: what follows its line are not commands. */
  | { readonly verb: 'bdat' }
  | ({
      readonly verb: 'mail'
      readonly reversePath: string
      readonly parameters: readonly string[]
    } & SubmittedParameters)
  | {
      readonly verb: 'rcpt'
      readonly typed: string
      readonly ascii: boolean
      readonly parameters: readonly string[]
    }

/** RFC 4954 §4: octets of a response, and room for `AUTH OAUTHBEARER ` before it. */
export const maxSubmittedLine = 12_288 + 32

const anyValue: Reader<object> = (value) => (value === undefined ? undefined : {})

// What the gateway offers, and AUTH (RFC 4954 §5), which every server has that takes a login. Others are not passed on: what an
// extension that was not offered would change is not known.
const submittedReaders = new Map<string, Reader<SubmittedParameters>>([
  ...mailReaders,
  ['BODY', (value) => bodies.get(value?.toUpperCase() ?? '')],
  ['RET', anyValue],
  ['ENVID', anyValue],
])
const bodies = new Map([
  ['7BIT', { eightBit: false }],
  ['8BITMIME', { eightBit: true }],
])
type RecipientParameters = { readonly dsn: boolean }
const dsn: Reader<RecipientParameters> = (value) => (value === undefined ? undefined : { dsn: true })
const recipientReaders = new Map([
  ['NOTIFY', dsn],
  ['ORCPT', dsn],
])

const mail = (argument: string): SubmittedCommand => {
  const parsed = pathBehind(from, argument)
  if (parsed === undefined) return malformed('mailSyntax')
  const { path: reversePath, parameters } = parsed
  const declared = parseParameters(parameters, submittedReaders, { size: 0, smtpUtf8: false, eightBit: false })
  if (typeof declared === 'string') return malformed(declared)
  if (!declared.smtpUtf8 && !isAscii(argument)) return malformed('needsSmtpUtf8')
  return { verb: 'mail', reversePath, parameters, ...declared }
}

const rcpt = (argument: string): SubmittedCommand => {
  const parsed = pathBehind(to, argument)
  if (parsed === undefined) return malformed('recipientSyntax')
  const { path: typed, parameters } = parsed
  if (typed === '') return malformed('recipientInvalid')
  const declared = parseParameters(parameters, recipientReaders, { dsn: false })
  if (typeof declared === 'string') return malformed(declared)
  return { verb: 'rcpt', typed, ascii: isAscii(argument), parameters }
}

const parse = commandLineParser<SubmittedCommand>({ MAIL: mail, RCPT: rcpt, BDAT: () => ({ verb: 'bdat' }) })

/** A line of at most `maxSubmittedLine`. The argument of AUTH is not looked at. */
export const parseSubmittedLine = (line: Buffer): SubmittedCommand => {
  const command = parse(line)
  return line.length > maxCommandLine && command.verb !== 'auth' ? malformed('lineTooLong') : command
}

/** A command as the machine takes it; AUTH is the login's business. `putOff`: why no message of a size may begin now. */
export const submittedEvent = (
  command: SubmittedCommand,
  putOff: (size: number) => PutOff | undefined,
): SubmissionEvent => {
  switch (command.verb) {
    case 'hello':
      return { type: 'hello', extended: command.extended }
    case 'mail':
      return {
        type: 'mail',
        size: command.size,
        eightBit: command.eightBit,
        smtpUtf8: command.smtpUtf8,
        putOff: putOff(command.size),
      }
    case 'rcpt':
      return { type: 'rcpt', ascii: command.ascii }
    case 'malformed':
      return { type: 'malformed', problem: command.problem }
    case 'auth':
      return { type: 'auth', found: 'malformed' }
    default:
      return { type: command.verb }
  }
}

/** The line for the remote server, as UTF-8: what it does not offer is left out where nothing is lost by that. */
export const lineFor = (command: SubmittedCommand, extensions: Extensions): string => {
  if (command.verb !== 'mail' && command.verb !== 'rcpt') return ''
  const path = command.verb === 'mail' ? `MAIL FROM:<${command.reversePath}>` : `RCPT TO:<${command.typed}>`
  return [path, ...command.parameters.filter((parameter) => isTaken(parameter, extensions))].join(' ')
}

const isTaken = (parameter: string, { size, eightBit, dsn }: Extensions) => {
  const [keyword = ''] = parameter.toUpperCase().split('=')
  if (keyword === 'SIZE') return size !== undefined
  if (keyword === 'BODY') return eightBit
  return dsn || !['RET', 'ENVID', 'NOTIFY', 'ORCPT'].includes(keyword)
}
