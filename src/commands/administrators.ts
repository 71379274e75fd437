import { resetAdmin } from './resetAdmin.ts'
import type { Command } from './command.ts'
import { configured, running, runningHere } from './configured.ts'
import { facts, table, write, writeJson } from './output.ts'
import { role } from './tokens.ts'

type Administrator = { readonly name: string; readonly role: string; readonly oneTimeUntil: string | null }
export type Given = {
  readonly name: string
  readonly role: string
  readonly password: string
  readonly oneTimeUntil: string
}

const told = ({ name, role, password, oneTimeUntil }: Given) => `${facts([
  ['Name', name],
  ['Role', role],
  ['Password', password],
  ['Until', oneTimeUntil],
])}
The password works until then, and has to be changed at its first use.
`

export const adminAdd: Command = {
  name: 'admin add',
  summary: 'Let somebody log in by name; the password for once is shown this once',
  operands: ['NAME'],
  options: { role: { ...role, about: `${role.about}; admin if not said` } },
  run: async (given, io) => {
    const [name] = given.operands
    const wanted = given.optional('role')
    const body = { name, ...(wanted !== undefined && { role: wanted }) }
    const added = await running(given, io).post<Given>('/v1/administrators', body)
    if (given.flag('json')) await writeJson(io.stdout, added)
    else await write(io.stdout, told(added))
    return undefined
  },
}

export const adminList: Command = {
  name: 'admin list',
  summary: 'List who may log in by name',
  operands: [],
  options: {},
  run: async (given, io) => {
    const answer = await running(given, io).get<{ readonly administrators: readonly Administrator[] }>(
      '/v1/administrators',
    )
    if (given.flag('json')) await writeJson(io.stdout, answer)
    else
      await write(io.stdout, answer.administrators.length === 0 ? 'There is nobody.\n' : tableOf(answer.administrators))
    return undefined
  },
}

const tableOf = (administrators: readonly Administrator[]) =>
  table(
    ['NAME', 'ROLE', 'PASSWORD'],
    administrators.map(({ name, role, oneTimeUntil }) => [
      name,
      role,
      oneTimeUntil === null ? 'their own' : `to be changed, until ${oneTimeUntil}`,
    ]),
  )

export const adminRemove: Command = {
  name: 'admin remove',
  summary: 'Let somebody log in no longer',
  operands: ['NAME'],
  options: {},
  run: async (given, io) => {
    const [name = ''] = given.operands
    await running(given, io).delete(`/v1/administrators/${encodeURIComponent(name)}`)
    if (given.flag('json')) await writeJson(io.stdout, { name })
    else await write(io.stdout, `${name} may log in no longer.\n`)
    return undefined
  },
}

export const adminPassword: Command = {
  name: 'admin password',
  summary: 'Give somebody a new password for once; it is shown this once',
  operands: ['NAME'],
  options: {},
  run: async (given, io) => {
    const [name = ''] = given.operands
    const reset = await running(given, io).post<Given>(`/v1/administrators/${encodeURIComponent(name)}/reset`)
    if (given.flag('json')) await writeJson(io.stdout, reset)
    else await write(io.stdout, told(reset))
    return undefined
  },
}

export const adminReset: Command = {
  name: 'admin reset',
  summary: 'Way back in for who owns the data directory: "admin" gets a password for once, the gateway running or not',
  operands: [],
  options: {},
  isLocal: true,
  run: async (given, io) => {
    const reset = await resetAdmin(configured(given, io), () => runningHere(given, io))
    if (given.flag('json')) await writeJson(io.stdout, reset)
    else await write(io.stdout, told(reset))
    return undefined
  },
}
