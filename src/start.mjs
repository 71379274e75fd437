// The program's entry: what it runs is compiled once and kept. Plain JavaScript, because a typed entry would be read
// before there is a cache, and what strips its types would stay in memory (18 MiB).
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

// The variable is for the threads. Where it cannot be written there is no cache, and every thread strips for itself.
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('../node_modules/.cache/sealpost', import.meta.url))
enableCompileCache(process.env['NODE_COMPILE_CACHE'])
await import('./main.ts')
