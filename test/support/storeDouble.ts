import gossipService from '@eventstore/db-client/generated/gossip_grpc_pb.js'
import featuresService from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js'
import streamsService from '@eventstore/db-client/generated/streams_grpc_pb.js'
import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js'
import { batchAppending, readings, tombstoning, unaryAppending } from './storeDoubleCalls.ts'
import { type Fault, faultsOf } from './storeDoubleFaults.ts'
import { openDoubleFile } from './storeDoubleFile.ts'
import { clusterOf, notLeader, supportedMethods } from './storeDoubleMessages.ts'

export type StoreDoubleOptions = {
  /** Its events, an SQLite file: another double on the same file goes on with them. */
  readonly file: string
  /** 0 lets the system choose. */
  readonly port?: number
  /** Whether it lists BatchAppend among its methods; without it the client falls back to Append. */
  readonly batchAppend?: boolean
  /** Events of the store's own between those that are appended. */
  readonly noise?: boolean
  /** Octets of one append, as the server's MaxAppendSize. */
  readonly maxAppendSize?: number
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Without them everybody may do everything. */
  readonly credentials?: { readonly user: string; readonly password: string }
  readonly mayReadAll?: boolean
  /** The port of the node that its gossip names as the leader; its own otherwise. */
  readonly leaderPort?: number
  /** It follows the leader at that port: who asks for the leader is sent there, others get what it has itself. */
  readonly follows?: number
  /** At so many reads its process ends itself by SIGKILL. */
  readonly diesAtRead?: number
}

export type StoreDouble = {
  readonly port: number
  /** Lets something go wrong with what comes next. */
  arm(fault: Fault): void
  /** Of those, how many no append has met yet. */
  armed(): number
  /** Ends every subscription as a server does that is shut down. */
  dropSubscriptions(): void
  /** Calls of a method so far, by its name in the protocol. */
  calls(method: string): number
  /** As an administrator who ends a stream for ever. */
  tombstone(stream: string): void
  /** Behind which position each subscription so far began. */
  subscribedFrom(): readonly number[]
  /** Breaks off every connection. */
  close(): Promise<void>
}

/**
 * A double of EventStoreDB's gRPC protocol, as far as `@eventstore/db-client` 6.2 uses it for a log: a real gRPC server
 * over the stubs that the client brings. It is no EventStoreDB: it says nothing about clusters, disks or scavenges, and
 * what holds against it must still be tried against a real node.
 */
export const startStoreDouble = async (options: StoreDoubleOptions): Promise<StoreDouble> => {
  const { batchAppend = true, noise = false, maxAppendSize = 1024 * 1024, mayReadAll = true } = options
  const file = openDoubleFile(options.file, { noise })
  const faults = faultsOf()
  const counts = new Map<string, number>()
  const subscribedFrom: number[] = []
  const parts = { file, faults, maxAppendSize, mayReadAll, subscribedFrom }
  const server = new Server({ 'grpc.max_receive_message_length': 8 * 1024 * 1024 })
  /** Counts the calls of a method, and turns away those without credentials. */
  const guarded = <H>(method: string, handle: H): H => {
    const guard = (call: AnyCall, answer?: (error: unknown) => void) => {
      counts.set(method, (counts.get(method) ?? 0) + 1)
      if (method === 'Read' && counts.get(method) === options.diesAtRead) process.kill(process.pid, 'SIGKILL')
      const refuse = (error: unknown) => (answer ? answer(error) : call.emit('error', error))
      const wantsLeader = call.metadata.get('requires-leader')[0] === 'true'
      if (options.follows !== undefined && wantsLeader) refuse(notLeader(options.follows))
      else if (open.has(method) || isAllowed(call.metadata, options.credentials)) (handle as AnyHandler)(call, answer)
      else refuse(unauthenticated())
    }
    return guard as H
  }
  let port = options.port ?? 0
  server.addService(featuresService.ServerFeaturesService, {
    getSupportedMethods: guarded('GetSupportedMethods', supportedMethods(batchAppend)),
  })
  server.addService(gossipService.GossipService, {
    read: guarded(
      'Gossip/Read',
      clusterOf(() => options.leaderPort ?? port),
    ),
  })
  server.addService(streamsService.StreamsService, {
    read: guarded('Read', readings(parts)),
    append: guarded('Append', unaryAppending(parts)),
    batchAppend: guarded('BatchAppend', batchAppending(parts)),
    delete: guarded('Delete', tombstoning(parts)),
    tombstone: guarded('Tombstone', tombstoning(parts)),
  })
  port = await listen(server, port, options.tls)
  return {
    port,
    arm: faults.arm,
    armed: faults.armed,
    dropSubscriptions: faults.dropSubscriptions,
    tombstone: file.tombstone,
    subscribedFrom: () => subscribedFrom,
    calls: (method) => counts.get(method) ?? 0,
    close: async () => {
      server.forceShutdown()
      // Calls that were broken off hear of it before their file goes.
      await new Promise((resolve) => setImmediate(resolve))
      file.close()
    },
  }
}

const listen = (server: Server, port: number, tls: StoreDoubleOptions['tls']) =>
  new Promise<number>((resolve, reject) => {
    const credentials = tls
      ? ServerCredentials.createSsl(null, [{ private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) }])
      : ServerCredentials.createInsecure()
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) => (error ? reject(error) : resolve(bound)))
  })

/** As the server answers them to everybody: the client asks them without credentials. */
const open: ReadonlySet<string> = new Set(['Gossip/Read', 'GetSupportedMethods'])

type AnyCall = { readonly metadata: Metadata; emit(event: string, error: unknown): boolean }
type AnyHandler = (call: AnyCall, answer?: (error: unknown) => void) => void

const unauthenticated = () =>
  Object.assign(new Error(), {
    code: status.UNAUTHENTICATED,
    details: 'no valid credentials',
    metadata: new Metadata(),
  })

const isAllowed = (metadata: Metadata, credentials: StoreDoubleOptions['credentials']) => {
  if (!credentials) return true
  const wanted = Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')
  return metadata.get('authorization')[0] === `Basic ${wanted}`
}
