import { type Chunk, smtp } from './smtpSetup.ts'
import { anytime, receive, refuse, reply, tooManyBad } from './smtpTransitions.ts'

const ofChunk = ({ event }: { readonly event: Chunk }) => event
const announce = { type: 'announce', params: ofChunk } as const

/** A chunk that may follow now. */
export const chunk = [
  { guard: { type: 'outgrowsAtLast', params: ofChunk }, target: '#smtpSession.oversized.last' },
  { guard: { type: 'outgrows', params: ofChunk }, target: '#smtpSession.oversized.coming' },
  { guard: { type: 'isLast', params: ofChunk }, target: '#smtpSession.chunking.last', actions: announce },
  { target: '#smtpSession.chunking.coming', actions: announce },
] as const

const tooLarge = [refuse('too-large'), reply('tooLarge')]

/** The states of a message that comes in chunks (RFC 3030 §2), from its first one on. */
export const chunkingStates = {
  chunking: smtp.createStateConfig({
    description: 'The chunks of a message are on their way into the vault and the log.',
    initial: 'coming',
    invoke: receive,
    states: {
      coming: {
        description: 'Octets of a chunk come in.',
        on: { chunkRead: { target: 'awaiting', actions: reply('chunkTaken') } },
      },
      awaiting: {
        description: 'The next chunk may follow. Whoever goes over to something else gives the message up.',
        tags: ['ready', 'chunks'],
        always: tooManyBad,
        on: {
          ...anytime,
          rset: { target: '#smtpSession.open.helloed', actions: ['countIdle', reply('ok')] },
          bdat: chunk,
        },
      },
      last: { description: 'Octets of the last chunk come in.', on: { chunkRead: 'whole' } },
      whole: { description: 'All chunks have come.' },
    },
  }),
  oversized: smtp.createStateConfig({
    description: 'A chunk goes by with which the message would be too large.',
    initial: 'coming',
    states: {
      coming: { on: { chunkRead: { target: '#smtpSession.open.transaction.spoilt', actions: tooLarge } } },
      last: { on: { chunkRead: { target: '#smtpSession.open.helloed', actions: tooLarge } } },
    },
  }),
}
