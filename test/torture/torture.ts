// Treats gateways ill and looks what they have lost: npm run torture (ops/docs/faults.md).
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { programPath } from '../support/peers.ts'
import type { Fault } from './fault.ts'
import { faults } from './faults.ts'
import type { Outcome } from './judge.ts'
import { runRound } from './round.ts'
import { writeTable } from './table.ts'
import { makeTemplate } from './world.ts'

const usage = 'npm run torture [-- ROUNDS] [--fault NAME]… [--seed N] [--lanes N] [--minutes N] [--table] [--list]'

const optionsOf = (args: readonly string[]) => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      fault: { type: 'string', multiple: true },
      seed: { type: 'string' },
      lanes: { type: 'string', default: '1' },
      minutes: { type: 'string', default: 'Infinity' },
      table: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
  })
  const chosen = faults.filter(({ name }) => values.fault?.includes(name) ?? true)
  const rounds = Number(positionals[0] ?? (values.seed === undefined ? chosen.length : 1))
  const seed = Number(values.seed ?? randomInt(2 ** 32))
  const [lanes, minutes] = [Number(values.lanes), Number(values.minutes)]
  if (!(lanes >= 1) || !(minutes > 0)) throw new Error(usage)
  if (chosen.length < (values.fault?.length ?? 1) || !(rounds > 0) || !Number.isSafeInteger(seed))
    throw new Error(usage)
  return { chosen, rounds, seed, lanes, minutes, table: values.table, list: values.list }
}

const longest = 3_000
const told = (error: unknown): string =>
  error instanceof Error
    ? [error.message.slice(0, longest), ...(error.cause === undefined ? [] : [told(error.cause)])].join('\n  ')
    : String(error)

// So that its gateways end with it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

const { chosen, rounds, seed, lanes, minutes, table, list } = optionsOf(process.argv.slice(2))
const possible = chosen.filter(({ name, needs }) => {
  const missing = needs.filter((program) => programPath(program) === undefined)
  if (missing.length > 0) console.log(`skipped: ${name} (not installed: ${missing.join(', ')})`)
  return missing.length === 0
})

if (list) for (const { name, how } of chosen) console.log(`${name.padEnd(42)}${how}`)
else {
  const template = await makeTemplate()
  const outcomes = new Map<string, Outcome[]>()
  const began = Date.now()
  let [next, failed, acknowledged] = [0, 0, 0]
  // The first time round all of them, then those that do not take minutes.
  const quick = possible.every(({ isLong }) => isLong) ? possible : possible.filter(({ isLong }) => !isLong)
  const timeOf = (round: number) => Math.max(0, Math.floor((round - possible.length) / quick.length) + 1)
  const faultOf = (round: number) => possible[round] ?? quick[(round - possible.length) % quick.length]
  const runNext = async (fault: Fault, round: number) => {
    // Each time round with another seed.
    const one = (seed + timeOf(round)) % 2 ** 32
    const label = `${String(round + 1).padStart(4)}  ${fault.name}`
    try {
      const result = await runRound(fault, template, one)
      acknowledged += result.acknowledged
      outcomes.set(fault.name, [...(outcomes.get(fault.name) ?? []), result.outcome])
      console.log(`${label.padEnd(48)}${result.outcome.padEnd(10)}${String(result.acknowledged).padStart(5)} mails`)
    } catch (error) {
      failed++
      console.log(`${label} FAILED: ${told(error)}`)
      console.log(`  again: npm run torture -- --fault '${fault.name}' --seed ${one}`)
    }
  }
  const lane = async () => {
    while (next < rounds && Date.now() - began < minutes * 60_000) {
      const round = next++
      const fault = faultOf(round)
      if (!fault) return
      await runNext(fault, round)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  const summary = `${next} rounds, ${failed} failed, ${acknowledged} mails acknowledged.`
  console.log(summary)
  if (table && failed === 0) writeTable(outcomes, `The last long run: ${summary}`)
  process.exitCode = failed === 0 && next > 0 && possible.length > 0 ? 0 : 1
}
process.exit()
