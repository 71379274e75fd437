import { readdirSync, readFileSync } from 'node:fs'

/** Resident memory of a process and all below it, in MiB: sampled, and its peak so far. */
export const watchResidentMemory = (roots: readonly number[]) => {
  let peak = 0
  const sample = () => {
    const sum = [...descendants(roots)].reduce((total, pid) => total + residentOf(pid), 0)
    peak = Math.max(peak, sum)
  }
  const timer = setInterval(sample, 250)
  sample()
  return {
    /** The peak since the last call. */
    take: () => {
      sample()
      const taken = peak
      peak = 0
      return Math.round(taken)
    },
    stop: () => clearInterval(timer),
  }
}

const read = (path: string) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // it has ended
  }
}

const descendants = (roots: readonly number[]): ReadonlySet<number> => {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), parent: Number(/\) \S (\d+)/.exec(read(`/proc/${name}/stat`))?.[1]) }))
  const found = new Set(roots)
  // A process is younger than its parent, and process ids grow.
  for (const { pid, parent } of parents.sort((a, b) => a.pid - b.pid)) if (found.has(parent)) found.add(pid)
  return found
}

const residentOf = (pid: number) => Number(/^VmRSS:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024
