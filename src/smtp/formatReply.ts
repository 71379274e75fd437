import type { SmtpReply } from '../../actors/smtpReplies.ts'

/** RFC 5321 §4.2.1, RFC 2034 §3. */
export const formatReply = ({ code, enhanced, lines }: SmtpReply): string =>
  lines
    .map((line, index) => `${code}${index < lines.length - 1 ? '-' : ' '}${enhanced}${enhanced && ' '}${line}\r\n`)
    .join('')
