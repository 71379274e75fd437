import { type StoreDoubleProcess, storeDoubleProcess } from '../support/storeDoubleProcess.ts'
import type { World } from './world.ts'

/** The log of a world's gateways is an event store from now on; it ends with the world. */
export const onEventStore = async ({ env, undo }: World): Promise<StoreDoubleProcess> => {
  const store = await storeDoubleProcess()
  undo.push(() => store.remove())
  Object.assign(env, { SEALPOST_LOG_ENGINE: 'eventstoredb', SEALPOST_LOG_URL: store.url })
  return store
}
