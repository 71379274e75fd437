import type {
  BatchAppendReq,
  BatchAppendResp,
  AppendReq,
  AppendResp,
  ReadReq,
  ReadResp,
  TombstoneReq,
  TombstoneResp,
} from '@eventstore/db-client/generated/streams_pb.js'
import streams from '@eventstore/db-client/generated/streams_pb.js'
import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerWritableStream,
  status,
} from '@grpc/grpc-js'
import type { Faults } from './storeDoubleFaults.ts'
import type { DoubleEvent, DoubleExpected, DoubleFile, DoubleOutcome, Proposed } from './storeDoubleFile.ts'
import * as messages from './storeDoubleMessages.ts'

// The calls that the double answers.

export type CallParts = {
  readonly file: DoubleFile
  readonly faults: Faults
  readonly maxAppendSize: number
  readonly mayReadAll: boolean
  readonly subscribedFrom: number[]
}

type Proposal = Pick<AppendReq.ProposedMessage, 'getId' | 'getMetadataMap' | 'getData_asU8' | 'getCustomMetadata_asU8'>

const proposedOf = (message: Proposal): Proposed => ({
  id: message.getId()?.getString() ?? '',
  type: message.getMetadataMap().get('type') ?? '',
  contentType: message.getMetadataMap().get('content-type') ?? '',
  data: message.getData_asU8(),
  metadata: message.getCustomMetadata_asU8(),
})

const nameIn = (options: { getStreamIdentifier(): { getStreamName_asU8(): Uint8Array } | undefined } | undefined) =>
  Buffer.from(options?.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString()

const octetsOf = (events: readonly Proposed[]) =>
  events.reduce((sum, { data, metadata }) => sum + data.length + metadata.length, 0)

type Request = { readonly stream: string; readonly expected: DoubleExpected; readonly events: readonly Proposed[] }
type Answers = {
  answer(outcome: DoubleOutcome): void
  tooLarge(): void
  fail(error: Error): void
}

/** One append, with the fault that was armed for it. */
const take = ({ file, faults, maxAppendSize }: CallParts, { stream, expected, events }: Request, answers: Answers) => {
  if (octetsOf(events) > maxAppendSize) {
    answers.tooLarge()
    return
  }
  const fault = faults.next()
  if (fault?.is === 'not-leader') answers.fail(messages.notLeader(fault.port))
  else if (fault?.is === 'unavailable' && !fault.committed) answers.fail(messages.unavailable())
  if (fault?.is === 'not-leader' || fault?.is === 'swallowed' || (fault?.is === 'unavailable' && !fault.committed))
    return
  const outcome = file.append(stream, expected, events)
  if (fault?.is === 'killed') process.kill(process.pid, 'SIGKILL')
  else if (fault?.is === 'unavailable') answers.fail(messages.unavailable())
  else if (fault?.is === 'late') setTimeout(() => answers.answer(outcome), fault.after).unref()
  else if (fault?.is !== 'silent') answers.answer(outcome)
}

export const unaryAppending =
  (parts: CallParts): handleClientStreamingCall<AppendReq, AppendResp> =>
  (call, reply) => {
    let options: AppendReq.Options | undefined
    const events: Proposed[] = []
    call.on('data', (request: AppendReq) => {
      options ??= request.getOptions()
      const message = request.getProposedMessage()
      if (message) events.push(proposedOf(message))
    })
    call.on('end', () => {
      // A connection that breaks off ends the stream too: what has come of it is no append.
      if (call.cancelled || call.destroyed) return
      const stream = nameIn(options)
      const expected = options?.hasNoStream()
        ? 'no-stream'
        : options?.hasRevision()
          ? Number(options.getRevision())
          : 'any'
      take(
        parts,
        { stream, expected, events },
        {
          fail: (error) => reply(error),
          tooLarge: () =>
            reply(
              messages.refusal(status.INVALID_ARGUMENT, 'maximum-append-size-exceeded', {
                'maximum-append-size': String(parts.maxAppendSize),
              }),
            ),
          answer: (outcome) => {
            if (outcome.is === 'written') reply(null, messages.appended(outcome.revision, outcome.position))
            else if (outcome.is === 'wrong-version') reply(null, messages.appendConflict(expected, outcome.current))
            else reply(messages.refusal(status.FAILED_PRECONDITION, 'stream-deleted', { 'stream-name': stream }))
          },
        },
      )
    })
  }

type Batch = { options: BatchAppendReq.Options | undefined; readonly events: Proposed[] }

export const batchAppending =
  (parts: CallParts): handleBidiStreamingCall<BatchAppendReq, BatchAppendResp> =>
  (call) => {
    const batches = new Map<string, Batch>()
    call.on('data', (request: BatchAppendReq) => {
      const correlation = request.getCorrelationId()
      const id = correlation?.getString() ?? ''
      const batch = batches.get(id) ?? { options: undefined, events: [] }
      batches.set(id, batch)
      batch.options ??= request.getOptions()
      batch.events.push(...request.getProposedMessagesList().map(proposedOf))
      if (!request.getIsFinal()) return
      batches.delete(id)
      const { options, events } = batch
      const stream = nameIn(options)
      const expected = options?.hasNoStream()
        ? 'no-stream'
        : options?.hasStreamPosition()
          ? Number(options.getStreamPosition())
          : 'any'
      const target = { correlation, stream }
      const say = (answer: BatchAppendResp) => void call.write(answer)
      take(
        parts,
        { stream, expected, events },
        {
          fail: (error) => call.emit('error', error),
          tooLarge: () => say(messages.batchTooLarge(target, parts.maxAppendSize)),
          answer: (outcome) => {
            if (outcome.is === 'written') say(messages.batchAppended(target, outcome.revision, outcome.position))
            else if (outcome.is === 'wrong-version') say(messages.batchConflict(target, outcome.current))
            else say(messages.batchDeleted(target))
          },
        },
      )
    })
    call.on('end', () => call.end())
  }

export const tombstoning =
  ({ file }: CallParts): handleUnaryCall<TombstoneReq, TombstoneResp> =>
  (call, reply) => {
    file.tombstone(nameIn(call.request.getOptions()))
    reply(null, new streams.TombstoneResp())
  }

type Reader = ServerWritableStream<ReadReq, ReadResp>

const send = async (call: Reader, message: ReadResp) => {
  if (!call.write(message) && !call.cancelled) await drained(call)
}

const drained = (call: Reader) =>
  new Promise<void>((resolve) => {
    const done = () => {
      call.off('drain', done).off('cancelled', done)
      resolve()
    }
    call.on('drain', done).on('cancelled', done)
  })

export const readings =
  (parts: CallParts): handleServerStreamingCall<ReadReq, ReadResp> =>
  (call) => {
    const options = call.request.getOptions()
    const reading = async () => {
      if (!options) return
      if (options.hasAll() && !parts.mayReadAll)
        call.emit('error', messages.refusal(status.PERMISSION_DENIED, 'access-denied'))
      else if (options.hasSubscription()) await follow(parts, call, options)
      else await readOnce(parts, call, options)
    }
    reading().catch((error: unknown) => call.emit('error', error))
  }

const readOnce = async ({ file }: CallParts, call: Reader, options: ReadReq.Options) => {
  const backwards = options.getReadDirection() === streams.ReadReq.Options.ReadDirection.BACKWARDS
  const limit = Number(options.getCount())
  const stream = options.getStream()
  const all = options.getAll()
  let events: readonly DoubleEvent[]
  if (stream) {
    const name = nameIn(stream)
    const revision = stream.hasEnd() ? 'end' : stream.hasStart() ? 0 : Number(stream.getRevision())
    events = file.ofStream(name, revision, backwards, limit)
    if (events.length === 0 && file.ofStream(name, 0, false, 1).length === 0)
      await send(call, messages.streamNotFound(name))
  } else {
    const position = all?.hasEnd() ? 'end' : Number(all?.getPosition()?.getCommitPosition() ?? 0)
    events = file.ofAll(position, backwards, limit)
  }
  for (const event of events) await send(call, messages.eventMessage(event))
  call.end()
}

/** $all behind a position, filtered by the beginnings of stream names, with checkpoints, until somebody ends it. */
const follow = async ({ file, faults, subscribedFrom }: CallParts, call: Reader, options: ReadReq.Options) => {
  const filter = options.getFilter()
  const prefixes = filter?.getStreamIdentifier()?.getPrefixList() ?? ['']
  const window = (filter?.getMax() ?? 1) * (filter?.getCheckpointintervalmultiplier() ?? 1)
  const from = options.getAll()
  let after = from?.hasPosition() ? Number(from.getPosition()?.getCommitPosition()) : 0
  subscribedFrom.push(after)
  let wake = () => {}
  const stopListening = file.onCommit(() => wake())
  const stopDropping = faults.onDrop(() => call.emit('error', { code: status.CANCELLED, details: 'the server goes' }))
  call.on('cancelled', () => wake())
  await send(call, messages.confirmation())
  try {
    for (let looked = 0; !call.cancelled && call.writable;) {
      const changed = new Promise<void>((resolve) => (wake = resolve))
      const events = file.ofAll(after + 1, false, 64)
      for (const event of events) {
        after = event.position
        if (prefixes.some((prefix) => event.stream.startsWith(prefix))) await send(call, messages.eventMessage(event))
        if (++looked % window === 0) await send(call, messages.checkpoint(after))
      }
      if (events.length === 0) await changed
    }
  } finally {
    stopListening()
    stopDropping()
  }
}
