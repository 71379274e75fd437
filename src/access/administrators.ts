import { randomUUID } from 'node:crypto'
import type { Role } from '../core/access.ts'
import { asGatewayError, GatewayError } from '../core/errors.ts'
import type { Cause, Recorded } from '../core/events.ts'
import type { Secret } from '../core/secret.ts'
import { administratorStream } from '../core/streams.ts'
import { generatePassword } from '../keys/passwords.ts'
import { hashPassword, isHashOf, type Turn } from '../keys/passwordHash.ts'
import { eventsOf } from '../core/appending.ts'
import { type AccessParts, appendChange, appendWithKey, keyIn } from './accessParts.ts'
import { nameIn, validName, validPassword } from './typed.ts'

/** Somebody with a name and a password, as the log says. */
export type Administrator = {
  readonly name: string
  readonly role: Role
  /** Which password it is: a new one with every change. */
  readonly credential: string
  /** Until when a password works that somebody else has seen and that has to be changed; undefined for one's own. */
  readonly oneTimeUntil: Date | undefined
}

export type OneTime = { readonly name: string; readonly role: Role; readonly password: Secret; readonly until: Date }

export type Administrators = {
  /** Who has a name now; undefined when nobody has. Asks the log each time, which other gateways may write. */
  of(name: string): Promise<Administrator | undefined>
  list(): Promise<readonly Administrator[]>
  /** With a password for once. Rejects with `administrator-exists` or `request-invalid`. */
  add(of: { readonly name: string; readonly role: Role }, until: Date, cause: Cause): Promise<OneTime>
  /** A new password for once, for who has lost his. Rejects with `administrator-unknown`. */
  reset(name: string, until: Date, cause: Cause): Promise<OneTime>
  /** Rejects with `administrator-unknown`. */
  remove(name: string, cause: Cause): Promise<void>
  /** Whose password it is; undefined, after the same time, when it is nobody's of that name. Rejects with `overloaded`. */
  verify(name: string, password: Secret, turn: Turn): Promise<Administrator | undefined>
  /** One's own new password; the old one has been verified. Rejects with `request-invalid` or `revision-conflict`. */
  change(of: Administrator, password: Secret, cause: Cause): Promise<Administrator>
}

const directory = 'administrators/'
const keyOf = (credential: string) => `${directory}${credential}.json`

type State = { readonly administrator: Administrator | undefined; readonly next: number }

const nobody: State = { administrator: undefined, next: 0 }

const evolve = ({ administrator }: State, { type, data, revision }: Recorded): State => {
  const next = revision + 1
  switch (type) {
    case 'AdministratorAdded': {
      const { name, role, credential, oneTimeUntil } = data
      return { next, administrator: { name, role, credential, oneTimeUntil: new Date(oneTimeUntil) } }
    }
    case 'AdministratorPasswordChanged': {
      const oneTimeUntil = data.oneTimeUntil === null ? undefined : new Date(data.oneTimeUntil)
      return { next, administrator: administrator && { ...administrator, credential: data.credential, oneTimeUntil } }
    }
    case 'AdministratorRemoved':
      return { next, administrator: undefined }
    default:
      return { next, administrator }
  }
}

export const createAdministrators = (parts: AccessParts): Administrators => {
  const { log, keys } = parts
  const stateOf = async (name: string): Promise<State> => {
    let state = nobody
    for await (const event of eventsOf(log, administratorStream(name))) state = evolve(state, event)
    return state
  }
  const known = async (name: string) => {
    const { administrator, next } = await stateOf(nameIn(name))
    if (!administrator) throw new GatewayError('administrator-unknown')
    return { administrator, next }
  }
  /** The event first, then the key that it makes useless. */
  const forget = (credential: string) => keys.remove(keyOf(credential)).catch(() => undefined)

  const oneTime = async ({ name, role }: { name: string; role: Role }, until: Date) => {
    const password = generatePassword()
    const credential = randomUUID()
    const key = { name: keyOf(credential), value: { name, hash: await hashPassword(password) } }
    return { key, credential, given: { name, role, password, until } }
  }

  const add: Administrators['add'] = async (of, until, cause) => {
    const name = validName(of.name)
    const { administrator, next } = await stateOf(name)
    if (administrator) throw new GatewayError('administrator-exists')
    const { key, credential, given } = await oneTime({ name, role: of.role }, until)
    const data = { name, role: of.role, credential, oneTimeUntil: until.toISOString() }
    const stream = administratorStream(name)
    try {
      await appendWithKey(parts, key, { stream, next, fact: { type: 'AdministratorAdded', data }, cause })
    } catch (error) {
      throw asGatewayError(error).code === 'revision-conflict' ? new GatewayError('administrator-exists') : error
    }
    return given
  }

  /** The new password's key, the event, then the old one's key goes. */
  const become = async (
    before: Administrator,
    next: number,
    { key, ...to }: { key: { name: string; value: object }; credential: string; oneTimeUntil: Date | undefined },
    cause: Cause,
  ): Promise<Administrator> => {
    const { name } = before
    const data = { name, credential: to.credential, oneTimeUntil: to.oneTimeUntil?.toISOString() ?? null }
    const stream = administratorStream(name)
    await appendWithKey(parts, key, { stream, next, fact: { type: 'AdministratorPasswordChanged', data }, cause })
    await forget(before.credential)
    return { ...before, ...to }
  }

  return {
    of: async (name) => (await stateOf(nameIn(name))).administrator,
    list: async () => {
      const stored = await Promise.all((await keys.list(directory)).map((name) => keyIn(parts, name)))
      const names = new Set(stored.map((value) => value?.['name']).filter((name) => typeof name === 'string'))
      const states = await Promise.all([...names].toSorted().map(stateOf))
      return states.map(({ administrator }) => administrator).filter((one) => one !== undefined)
    },
    add,
    reset: async (name, until, cause) => {
      const { administrator, next } = await known(name)
      const { key, credential, given } = await oneTime(administrator, until)
      await become(administrator, next, { key, credential, oneTimeUntil: until }, cause)
      return given
    },
    remove: async (name, cause) => {
      const { administrator, next } = await known(name)
      const fact = { type: 'AdministratorRemoved', data: { name: administrator.name } } as const
      await appendChange(parts, { stream: administratorStream(administrator.name), next, fact, cause })
      await forget(administrator.credential)
    },
    verify: async (name, password, turn) => {
      const { administrator } = await stateOf(nameIn(name))
      const key = await keyIn(parts, keyOf(administrator?.credential ?? 'none'))
      const hash = typeof key?.['hash'] === 'string' ? key['hash'] : undefined
      return (await isHashOf(hash, password, turn)) ? administrator : undefined
    },
    change: async (of, typed, cause) => {
      const password = validPassword(typed, of.name)
      const { administrator, next } = await stateOf(of.name)
      if (administrator?.credential !== of.credential) throw new GatewayError('revision-conflict')
      if (await isHashOf(hashIn(await keyIn(parts, keyOf(of.credential))), password, 'known')) throw same()
      const credential = randomUUID()
      const key = { name: keyOf(credential), value: { name: of.name, hash: await hashPassword(password) } }
      return become(of, next, { key, credential, oneTimeUntil: undefined }, cause)
    },
  }
}

const hashIn = (key: Readonly<Record<string, unknown>> | undefined) =>
  typeof key?.['hash'] === 'string' ? key['hash'] : undefined

const same = () => new GatewayError('request-invalid', { detail: 'The new password must be another one' })
