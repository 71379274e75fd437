import { outputOf } from './program.ts'

/** age asks for passphrases on its controlling terminal only: this gives it one, and answers every question on it. */
const onTerminal = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
passphrase = sys.stdin.buffer.read()
seen = b''
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    if b'passphrase' in seen and seen.rstrip().endswith(b':'):
        seen = b''
        os.write(terminal, passphrase + b'\\n')
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

/** Runs the age program, which may write to a file only, with a passphrase. Needs python3. */
export const ageWithPassphrase = async (passphrase: string, args: readonly string[]): Promise<void> => {
  await outputOf('python3', ['-c', onTerminal, 'age', ...args], { input: passphrase })
}
