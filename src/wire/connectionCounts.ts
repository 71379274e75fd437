/** Connections at once, of all peers and of each source. */
export type ConnectionCounts = {
  /** Counts one more, and gives what ends it (idempotent); undefined when there is no room. */
  begin(source: string): (() => void) | undefined
  /** Those of the source that has the most. */
  most(): number
}

/** `limits` is asked each time. */
export const connectionCounts = (
  limits: () => { readonly all: number; readonly perSource: number },
): ConnectionCounts => {
  const bySource = new Map<string, number>()
  let all = 0
  const add = (source: string, count: 1 | -1) => {
    const own = (bySource.get(source) ?? 0) + count
    all += count
    if (own > 0) bySource.set(source, own)
    else bySource.delete(source)
  }
  return {
    begin: (source) => {
      const most = limits()
      if (all >= most.all || (bySource.get(source) ?? 0) >= most.perSource) return undefined
      add(source, 1)
      let open = true
      return () => {
        if (open) add(source, -1)
        open = false
      }
    },
    most: () => bySource.values().reduce((most, own) => Math.max(most, own), 0),
  }
}
