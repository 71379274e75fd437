import { readFileSync } from 'node:fs'

/** Processor time of another process so far, in microseconds; proc_pid_stat(5). */
export const cpuOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}
