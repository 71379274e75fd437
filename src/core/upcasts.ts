import type { EventType } from './events.ts'

/** Makes the data of one version of an event into that of the next. Pure: a stored event is always read the same. */
export type Upcast = (data: never) => unknown

/** Per event type: the first makes version 1 into 2, the second 2 into 3, and so on up to the current version. */
export type Upcasts = { readonly [T in EventType]?: readonly Upcast[] }

const unchanged = (data: object) => data

/**
 * The one home of older shapes: a type whose shape changes gets a new version in `eventVersions`, its upcast here and
 * its schema in test/vectors/eventSchemas.json, or a test fails.
 */
export const upcasts: Upcasts = {
  // They only may say more now.
  MailboxCreated: [unchanged, unchanged],
  MessageReceived: [unchanged, unchanged, unchanged],
  SessionOpened: [unchanged],
  SessionClosed: [(closed: object) => ({ ...closed, transcript: null, transcriptSha256: null })],
}

/**
 * Brings data that was stored as `version` (1 or more) up to the shape that `EventData` says. Throws what the upcast
 * throws if the data is not of that version.
 */
export const upcast = (type: EventType, version: number, data: unknown, steps: Upcasts = upcasts): unknown =>
  // Each step takes what the one before gave; a list of steps cannot be typed so.
  (steps[type] ?? []).slice(version - 1).reduce((older, step) => (step as (data: unknown) => unknown)(older), data)
