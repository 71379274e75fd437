import { GatewayError } from '../core/errors.ts'

/** A block of a stream, its fields as they came; a comment alone has none. */
export type Block = { readonly id?: string; readonly event?: string; readonly data?: string }

/** Characters of one block: more is no block of ours. */
const longest = 1 << 20

/**
 * The blocks of a stream of server-sent events (html.spec.whatwg.org/multipage/server-sent-events.html) as the gateway writes
 * them: lines end in LF, and `data` is one line. What breaks off in the middle of a block is not given.
 */
export async function* blocksIn(octets: AsyncIterable<Uint8Array>): AsyncGenerator<Block> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of octets) {
    text += decoder.decode(chunk, { stream: true })
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    if (text.length > longest) throw new GatewayError('internal', { detail: 'The gateway sent no server-sent events' })
    yield* blocks.map(blockOf)
  }
}

const blockOf = (text: string): Block => {
  const fields = text.matchAll(/^(id|event|data): (.*)$/gm)
  return Object.fromEntries(fields.map(([, name = '', value = '']) => [name, value]))
}
