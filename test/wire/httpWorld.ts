import type { InjectOptions } from 'fastify'
import type { suite } from 'uvu'
import type { Clock } from '../../src/core/ports.ts'
import type { AdminApi } from '../../src/http/buildApp.ts'
import { checkedApp } from '../support/checkedApp.ts'
import { doubles, token } from './httpDoubles.ts'

type Method = NonNullable<InjectOptions['method']>
type World = ReturnType<typeof doubles>
type Wish = {
  /** What there is before each test. */
  readonly given?: (world: World) => void
  /** The API, where it is not just that of the doubles. */
  readonly api?: (world: World) => AdminApi
  /** Of logins, where it is not the system's. */
  readonly clock?: Clock
}

/** The admin API over doubles, for the tests of one suite: as new before each of them, closed after the last. */
export const httpWorld = async (test: ReturnType<typeof suite>, { given, api, clock }: Wish = {}) => {
  const world = doubles(clock)
  const app = await checkedApp(api?.(world) ?? world.api)
  test.before.each(() => {
    world.reset()
    given?.(world)
  })
  test.after(async () => {
    await app.close()
    world.close()
  })
  /** Asks with the token of the local command line, unless the headers say otherwise. */
  const ask = (method: Method, url: string, { headers, ...options }: InjectOptions = {}) =>
    app.inject({ method, url, headers: { authorization: `Bearer ${token}`, ...headers }, ...options })
  return { world, app, ask }
}
