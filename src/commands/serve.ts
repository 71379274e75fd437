import type { Writable } from 'node:stream'
import { asGatewayError } from '../core/errors.ts'
import type { Gateway } from '../gateway.ts'
import { banner } from './banner.ts'
import type { Command } from './command.ts'
import { configured } from './configured.ts'
import { write, writeJson } from './output.ts'

export const serve: Command = {
  name: 'serve',
  summary:
    'Run the gateway until it is told to stop (SIGTERM or SIGINT; a second one ends it at once); SIGHUP reads configuration and certificate again',
  operands: [],
  isLocal: true,
  options: { 'take-over': { about: 'Take the name ([gateway] node) from the data directory that had it' } },
  run: async (given, io) => {
    const config = configured(given, io)
    // Loaded only here: no other command needs the whole gateway.
    const [{ startGateway }, { createLogger }] = await Promise.all([import('../gateway.ts'), import('../logger.ts')])
    const logger = createLogger(config.gateway.logLevel)
    const waiting = new AbortController()
    const starting = startGateway({ config, logger, signal: waiting.signal, takeOver: given.flag('take-over') })
    const forget = stopOnSignals(starting, () => waiting.abort())
    const forgetReload = reloadOnSignal(starting, async (gateway) => {
      const { gateway: effective } = await gateway.reload(() => configured(given, io))
      logger.setLevel(effective.logLevel)
    })
    const gateway = await starting.catch((error: unknown) => {
      // Told to stop before there was anything to stop.
      if (waiting.signal.aborted && asGatewayError(error).code === 'shutting-down') return undefined
      throw error
    })
    if (!gateway) return undefined
    const { addresses, fingerprint } = gateway
    if (given.flag('json')) await writeJson(io.stdout, { addresses, fingerprint, data: config.gateway.data })
    else await write(io.stdout, banner(gateway, config, isTerminal(io.stdout)))
    await gateway.closed
    forget()
    forgetReload()
    return undefined
  },
}

const isTerminal = (stdout: Writable) => 'isTTY' in stdout && stdout.isTTY === true

/** A signal that comes while it starts stops it as soon as it has started, or has waited enough for its log. */
const stopOnSignals = (starting: Promise<Gateway>, stopWaiting: () => void) => {
  let stopping = false
  const stop = (signal: string) => {
    if (stopping) process.exit(1)
    stopping = true
    stopWaiting()
    // A start that fails tells so itself.
    starting.then((gateway) => gateway.stop(signal)).catch(() => undefined)
  }
  const signals = ['SIGTERM', 'SIGINT'] as const
  for (const signal of signals) process.on(signal, stop)
  return () => {
    for (const signal of signals) process.off(signal, stop)
  }
}

/** A signal that comes while it starts counts once it has started. */
const reloadOnSignal = (starting: Promise<Gateway>, reload: (gateway: Gateway) => Promise<void>) => {
  // A start that fails tells so itself.
  const again = () => void starting.then(reload).catch(() => undefined)
  process.on('SIGHUP', again)
  return () => process.off('SIGHUP', again)
}
