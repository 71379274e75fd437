import { pop3 } from './pop3Setup.ts'

/** A reply in the middle of another would be a lie; the shell sends no command here, so one is a defect. */
export const working = pop3.createStateConfig({
  on: {
    closed: { target: 'ended', actions: { type: 'ending', params: ({ event }) => event.outcome } },
    '*': { target: 'ended', actions: { type: 'ending', params: 'failed' } },
  },
})

/** A login that came to nothing may be tried again. */
export const refusedLogin = {
  onError: [
    {
      guard: 'lastAttempt',
      target: 'ended',
      actions: ['sayFailure', 'report', { type: 'ending', params: 'refused' }],
    },
    {
      target: 'anonymous',
      actions: ['sayFailure', 'report', 'countAttempt'],
    },
  ],
} as const

/** A reply that was begun and cannot be ended. */
export const broken = {
  target: 'ended',
  actions: ['breakOff', 'report', { type: 'ending', params: 'failed' }],
} as const
