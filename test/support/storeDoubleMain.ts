import { startStoreDouble, type StoreDoubleOptions } from './storeDouble.ts'
import type { Fault } from './storeDoubleFaults.ts'

// The double as a process of its own, so that it can be killed: options as JSON in its argument, commands as messages of
// its parent, its port as its first message. Without a parent, its port as its first line.

const options = JSON.parse(process.argv[2] ?? '{}') as StoreDoubleOptions
const double = await startStoreDouble(options)
if (process.send) process.send({ port: double.port })
else console.log(`esdb://127.0.0.1:${double.port}?tls=false`)

process.on('message', (command: { readonly arm?: Fault; readonly drop?: true }) => {
  if (command.arm) double.arm(command.arm)
  if (command.drop) double.dropSubscriptions()
})
process.on('disconnect', () => process.exit())
