/** Connections with a remote side at once, of all clients and of each source address. */
export type ConnectionCounts = {
  /** Whether there was room for one more. */
  begin(source: string): boolean
  end(source: string): void
}

export const connectionCounts = (limits: {
  readonly connections: number
  readonly connectionsPerClient: number
}): ConnectionCounts => {
  const bySource = new Map<string, number>()
  let all = 0
  return {
    begin: (source) => {
      const own = bySource.get(source) ?? 0
      if (all >= limits.connections || own >= limits.connectionsPerClient) return false
      all++
      bySource.set(source, own + 1)
      return true
    },
    end: (source) => {
      const own = (bySource.get(source) ?? 0) - 1
      all--
      if (own > 0) bySource.set(source, own)
      else bySource.delete(source)
    },
  }
}
