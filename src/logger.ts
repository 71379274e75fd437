import { destination, type LevelWithSilent, pino, stdSerializers } from 'pino'
import type { LogLevel } from './config.ts'
import type { Logger } from './core/ports.ts'

export type LevelledLogger = Logger & { setLevel(level: LogLevel): void }

/** Fields that may never be printed, should anybody pass them, at the top and one level below. */
const secret = ['password', 'token', 'authorization', 'identity', 'secret', 'key']

/** Where lines go: standard error unless a test looks at them. */
export type Lines = { write(line: string): void }

/** JSON lines. Written at once, so that the last words of a process that dies are read. */
export const createLogger = (level: LogLevel, lines: Lines = destination({ fd: 2, sync: true })): LevelledLogger => {
  const logger = pino(
    {
      level: levelOf(level),
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: stdSerializers.errWithCause },
      redact: { paths: secret.flatMap((name) => [name, `*.${name}`]), censor: '[secret]' },
    },
    lines,
  )
  return Object.assign(logger, { setLevel: (to: LogLevel) => void (logger.level = levelOf(to)) })
}

const levelOf = (level: LogLevel) => (level === 'off' ? 'silent' : level) satisfies LevelWithSilent
