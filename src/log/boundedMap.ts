export type BoundedMap<K, V> = {
  get(key: K): V | undefined
  has(key: K): boolean
  set(key: K, value: V): void
  delete(key: K): void
}

/** Forgets what was set first when it holds more than `limit`. */
export const boundedMap = <K, V>(limit: number): BoundedMap<K, V> => {
  const map = new Map<K, V>()
  return {
    get: (key) => map.get(key),
    has: (key) => map.has(key),
    set: (key, value) => {
      map.delete(key)
      map.set(key, value)
      if (map.size <= limit) return
      const [oldest] = map.keys()
      // There is one: the map holds more than a limit that is at least 0.
      map.delete(oldest as K)
    },
    delete: (key) => void map.delete(key),
  }
}
