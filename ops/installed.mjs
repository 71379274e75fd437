// Installs the dependencies when node_modules does not match the lock file, so that `npm start` and `npm test`
// work as the first command in a clean clone. Runs on the machine's own Node, so it is plain JavaScript.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'

const root = new URL('../', import.meta.url)
const stamp = new URL('node_modules/.installed-from', root)
const wanted = createHash('sha256')
  .update(readFileSync(new URL('package-lock.json', root)))
  .digest('hex')
const present = () => {
  try {
    return readFileSync(stamp, 'utf8')
  } catch {
    return ''
  }
}

if (present() !== wanted) {
  console.error('Installing the dependencies named in package-lock.json …')
  const npm = process.env.npm_execpath
  const args = ['ci', '--loglevel=error', '--no-audit', '--no-fund']
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }
  const { status } = npm ? spawnSync(process.execPath, [npm, ...args], options) : spawnSync('npm', args, options)
  if (status !== 0) {
    console.error('The dependencies could not be installed; see above.')
    process.exit(1)
  }
  writeFileSync(stamp, wanted)
}
