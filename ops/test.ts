// Runs the whole suite, or the files that match the regular expression given, and prints last how many tests passed,
// failed and were skipped.
import { spawn } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const pattern = process.argv[2] ?? String.raw`\.test\.ts$`
const child = spawn(process.execPath, ['node_modules/uvu/bin.js', 'test', pattern], {
  cwd: root,
  stdio: ['ignore', 'pipe', 'inherit'],
})

let output = ''
child.stdout.setEncoding('utf8')
child.stdout.on('data', (text: string) => {
  process.stdout.write(text)
  output += text
})

child.on('close', (code) => {
  // uvu colours its summary only on a terminal; here it writes to a pipe.
  const figure = (label: string) => Number(new RegExp(`^\\s*${label}:\\s+(\\d+)`, 'm').exec(output)?.[1] ?? 0)
  const [total, passed, skipped] = [figure('Total'), figure('Passed'), figure('Skipped')]
  const failed = total - passed
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
  process.exit(code === 0 && passed > 0 && failed === 0 ? 0 : 1)
})
