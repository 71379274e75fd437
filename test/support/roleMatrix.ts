import { type Access, allows, type Role, roles } from '../../src/core/access.ts'
import type { RouteAccess } from '../../src/http/authorization.ts'

export const askers = ['none', ...roles.flatMap((role) => [role, `${role}, scoped`] as const)] as const
export type Asker = (typeof askers)[number]

const roleOf = (asker: Asker) => asker.split(',')[0] as Role
export const isScoped = (asker: Asker) => asker.endsWith('scoped')

/** What the declaration of a route promises somebody: let in (`own`: to his mailboxes), told to log in, or refused. */
export const promised = ({ access, scoped }: RouteAccess, asker: Asker): 'yes' | 'own' | 'no' | '401' => {
  if (access === 'public') return 'yes'
  if (asker === 'none') return '401'
  if (!allows(access, roleOf(asker))) return 'no'
  if (!isScoped(asker) || access === 'self') return 'yes'
  return scoped ? 'own' : 'no'
}

const order: readonly Access[] = ['public', 'self', 'read', 'review', 'operate', 'administer']
const signs = { yes: 'yes', own: 'own', no: '–', '401': 'log in' } as const

/** The document ops/docs/roles.md. */
export const roleTable = (routes: ReadonlyMap<string, RouteAccess>): string => {
  const rows = [...routes]
    .filter(([route]) => !route.startsWith('HEAD ') && !route.startsWith('OPTIONS '))
    .toSorted(
      ([a, one], [b, other]) =>
        order.indexOf(one.access) - order.indexOf(other.access) ||
        pathOf(a).localeCompare(pathOf(b), 'en') ||
        a.localeCompare(b, 'en'),
    )
  const lines = rows.map(
    ([route, of]) =>
      `| \`${route}\` | ${of.access} | ${askers.map((asker) => signs[promised(of, asker)]).join(' | ')} |`,
  )
  return `# Who may do what

Generated from what the routes declare; a test asks every route as everybody, and fails when this page is not current
(\`SEALPOST_WRITE_ROLES=1 npm test -- 'roles\\.test\\.ts$'\` writes it anew). [access.md](access.md) says what the roles are.

"own": a token that is limited to some mailboxes sees those and no others, which it is told do not exist. "–": refused with 403.
"log in": refused with 401.

| route | takes | nobody | ${askers.slice(1).join(' | ')} |
|---|---|${askers.map(() => '---|').join('')}
${lines.join('\n')}
`
}

const pathOf = (route: string) => route.slice(route.indexOf(' ') + 1)
