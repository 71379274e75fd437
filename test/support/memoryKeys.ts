import type { KeyStore } from '../../src/core/ports.ts'

/** Keys in memory; `puts` are the names in the order in which they became durable. */
export const memoryKeys = () => {
  const values = new Map<string, Uint8Array>()
  const puts: string[] = []
  const write = (name: string, value: Uint8Array) => {
    values.set(name, value)
    puts.push(name)
  }
  const keys: KeyStore = {
    put: async (name, value) => {
      await new Promise(setImmediate)
      write(name, value)
    },
    add: async (name, value) => {
      await new Promise(setImmediate)
      if (values.has(name)) return false
      write(name, value)
      return true
    },
    get: (name) => Promise.resolve(values.get(name)),
    remove: (name) => Promise.resolve(void values.delete(name)),
    list: (prefix) => Promise.resolve([...values.keys()].filter((name) => name.startsWith(prefix)).sort()),
  }
  return { keys, values, puts }
}
