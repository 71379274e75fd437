import gossip from '@eventstore/db-client/generated/gossip_pb.js'
import features from '@eventstore/db-client/generated/serverfeatures_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import statuses from '@eventstore/db-client/generated/status_pb.js'
import streams from '@eventstore/db-client/generated/streams_pb.js'
import { type handleUnaryCall, Metadata, status } from '@grpc/grpc-js'
import protobufAny from 'google-protobuf/google/protobuf/any_pb.js'
import protobufEmpty from 'google-protobuf/google/protobuf/empty_pb.js'
import type { DoubleEvent, DoubleExpected } from './storeDoubleFile.ts'

// The messages of the protocol that the double sends, made of plain values.

const service = 'event_store.client.streams.Streams'

export const supportedMethods =
  (batchAppend: boolean): handleUnaryCall<unknown, InstanceType<typeof features.SupportedMethods>> =>
  (_, answer) => {
    const methods = ['append', 'read', 'delete', 'tombstone', ...(batchAppend ? ['batchappend'] : [])]
    const list = methods.map((method) => new features.SupportedMethod().setMethodName(method).setServiceName(service))
    answer(null, new features.SupportedMethods().setEventStoreServerVersion('24.10.0.0').setMethodsList(list))
  }

/** A cluster of one: the leader. By its name, as with TLS it must be. */
export const clusterOf =
  (leaderPort: () => number): handleUnaryCall<unknown, InstanceType<typeof gossip.ClusterInfo>> =>
  (_, answer) => {
    const leader = new gossip.MemberInfo()
      .setInstanceId(new shared.UUID().setString(crypto.randomUUID()))
      .setTimeStamp(String(Date.now()))
      .setState(gossip.MemberInfo.VNodeState.LEADER)
      .setIsAlive(true)
      .setHttpEndPoint(new gossip.EndPoint().setAddress('localhost').setPort(leaderPort()))
    answer(null, new gossip.ClusterInfo().setMembersList([leader]))
  }

/** An error as the server sends it: what it is stands in the trailers. */
export const refusal = (code: status, exception: string, more: Readonly<Record<string, string>> = {}) => {
  const metadata = new Metadata()
  metadata.set('exception', exception)
  for (const [name, value] of Object.entries(more)) metadata.set(name, value)
  return Object.assign(new Error(exception), { code, details: exception, metadata })
}

export const notLeader = (port: number) =>
  refusal(status.NOT_FOUND, 'not-leader', { 'leader-endpoint-host': '127.0.0.1', 'leader-endpoint-port': String(port) })

export const unavailable = () =>
  Object.assign(new Error('unavailable'), {
    code: status.UNAVAILABLE,
    details: 'unavailable',
    metadata: new Metadata(),
  })

const nameOf = (stream: string) => new shared.StreamIdentifier().setStreamName(Buffer.from(stream).toString('base64'))

/** Ticks of 100 nanoseconds. */
const ticks = (milliseconds: number) => String(BigInt(milliseconds) * 10_000n)

export const eventMessage = (event: DoubleEvent) => {
  const position = String(event.position)
  const recorded = new streams.ReadResp.ReadEvent.RecordedEvent()
    .setId(new shared.UUID().setString(event.id))
    .setStreamIdentifier(nameOf(event.stream))
    .setStreamRevision(String(event.revision))
    .setCommitPosition(position)
    .setPreparePosition(position)
    .setData(event.data)
    .setCustomMetadata(event.metadata)
  recorded
    .getMetadataMap()
    .set('type', event.type)
    .set('content-type', event.contentType)
    .set('created', ticks(event.created))
  return new streams.ReadResp().setEvent(
    new streams.ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(position),
  )
}

export const streamNotFound = (stream: string) =>
  new streams.ReadResp().setStreamNotFound(new streams.ReadResp.StreamNotFound().setStreamIdentifier(nameOf(stream)))

export const confirmation = () =>
  new streams.ReadResp().setConfirmation(
    new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId(crypto.randomUUID()),
  )

export const checkpoint = (position: number) =>
  new streams.ReadResp().setCheckpoint(
    new streams.ReadResp.Checkpoint().setCommitPosition(String(position)).setPreparePosition(String(position)),
  )

export const appended = (revision: number, position: number | undefined) => {
  const success = new streams.AppendResp.Success().setCurrentRevision(String(revision))
  if (position === undefined) success.setNoPosition(new shared.Empty())
  else
    success.setPosition(
      new streams.AppendResp.Position().setCommitPosition(String(position)).setPreparePosition(String(position)),
    )
  return new streams.AppendResp().setSuccess(success)
}

export const appendConflict = (expected: DoubleExpected, current: number | undefined) => {
  const conflict = new streams.AppendResp.WrongExpectedVersion()
  if (current === undefined) conflict.setCurrentNoStream(new shared.Empty())
  else conflict.setCurrentRevision(String(current))
  if (expected === 'no-stream') conflict.setExpectedNoStream(new shared.Empty())
  else if (typeof expected === 'number') conflict.setExpectedRevision(String(expected))
  else conflict.setExpectedAny(new shared.Empty())
  return new streams.AppendResp().setWrongExpectedVersion(conflict)
}

/** An answer to one append of a BatchAppend call. */
const batchAnswer = (correlation: InstanceType<typeof shared.UUID> | undefined, stream: string) =>
  new streams.BatchAppendResp().setCorrelationId(correlation).setStreamIdentifier(nameOf(stream))

export type BatchTarget = {
  readonly correlation: InstanceType<typeof shared.UUID> | undefined
  readonly stream: string
}

export const batchAppended = ({ correlation, stream }: BatchTarget, revision: number, position: number | undefined) => {
  const success = new streams.BatchAppendResp.Success().setCurrentRevision(String(revision))
  if (position === undefined) success.setNoPosition(new protobufEmpty.Empty())
  else
    success.setPosition(
      new shared.AllStreamPosition().setCommitPosition(String(position)).setPreparePosition(String(position)),
    )
  return batchAnswer(correlation, stream).setSuccess(success)
}

const batchError = ({ correlation, stream }: BatchTarget, name: string, bytes: Uint8Array) => {
  const details = new protobufAny.Any()
  details.pack(bytes, `event_store.client.${name}`)
  return batchAnswer(correlation, stream).setError(new statuses.Status().setMessage(name).setDetails(details))
}

export const batchConflict = (target: BatchTarget, current: number | undefined) => {
  const conflict = new shared.WrongExpectedVersion()
  if (current === undefined) conflict.setCurrentNoStream(new protobufEmpty.Empty())
  else conflict.setCurrentStreamRevision(String(current))
  return batchError(target, 'WrongExpectedVersion', conflict.serializeBinary())
}

export const batchTooLarge = (target: BatchTarget, limit: number) =>
  batchError(
    target,
    'MaximumAppendSizeExceeded',
    new shared.MaximumAppendSizeExceeded().setMaxappendsize(limit).serializeBinary(),
  )

export const batchDeleted = (target: BatchTarget) =>
  batchError(
    target,
    'StreamDeleted',
    new shared.StreamDeleted().setStreamIdentifier(nameOf(target.stream)).serializeBinary(),
  )
