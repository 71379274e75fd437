import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import ts from 'typescript'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'

const test = suite('threat model')
const root = join(import.meta.dirname, '../..')
const documents = ['ops/docs/threat-model.md', 'SECURITY.md']
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const model = read('ops/docs/threat-model.md')

type Cited = { readonly file: string; readonly title: string }

/** Code spans such as `wire/pop3: STLS is refused under TLS`. */
const citedIn = (text: string): Cited[] =>
  [...text.matchAll(/`((?:unit|wire|contract|gateway|invariants|crash|peers)\/\w+): ([^`]+)`/g)].map(
    ([, file = '', title = '']) => ({ file, title }),
  )

/** The tests of a file, or those that it has for others to run. */
const pathOf = (file: string) =>
  [`test/${file}.test.ts`, `test/${file}.ts`].find((path) => existsSync(join(root, path)))

/** What stands in place of a value that a title is made with. */
const textOf = (node: ts.Node): string | undefined => {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return node.text
  if (!ts.isTemplateExpression(node)) return undefined
  return [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join('…')
}
const isWork = (node: ts.Node) => ts.isArrowFunction(node) || ts.isCallExpression(node) || ts.isIdentifier(node)

/** The title of each call that is given one and then what is to be done. */
const titlesIn = (source: string): ReadonlySet<string> => {
  const titles = new Set<string>()
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const title = node.arguments.findIndex((argument) => textOf(argument)?.includes(' '))
      const found = node.arguments[title]
      if (found && node.arguments.slice(title + 1).some(isWork)) titles.add(textOf(found) ?? '')
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('test.ts', source, ts.ScriptTarget.Latest))
  return titles
}

const known = new Map<string, ReadonlySet<string>>()
const isThere = ({ file, title }: Cited): boolean => {
  const path = pathOf(file)
  if (path === undefined) return false
  const titles = known.get(path) ?? titlesIn(read(path))
  known.set(path, titles)
  return titles.has(title)
}

const rows = model.split('\n').filter((line) => /^\| [STRIDE]+ \|/.test(line))

test('every test that the threat model names is there, under that title', () => {
  const cited = documents.flatMap((path) => citedIn(read(path)))
  assert.ok(cited.length > 100)
  assert.equal(
    cited.filter((one) => !isThere(one)).map(({ file, title }) => `${file}: ${title}`),
    [],
  )
})

test('every threat that something is done about names a test', () => {
  assert.ok(rows.length > 50)
  assert.equal(
    rows.filter((row) => citedIn(row.split(' | ').at(-1) ?? '').length === 0),
    [],
  )
})

test('every way of the data has threats of all six kinds, and says what is not covered', () => {
  const [, ...flows] = model.split(/^## (?=\d)/m)
  assert.is(flows.length, 9)
  for (const flow of flows) {
    const letters = [...flow.matchAll(/^\| ([STRIDE]+) \|/gm)].map(([, some]) => some).join('')
    const missing = ['S', 'T', 'R', 'I', 'D', 'E'].filter((letter) => !letters.includes(letter))
    assert.equal(missing, [], flow.split('\n')[0])
    assert.match(flow, /^Not covered:\n\n- /m)
  }
})

test('every file that it and the security policy speak of is there', () => {
  for (const path of documents)
    for (const [, link = ''] of read(path).matchAll(/\]\(([^):#]+)(?:#[^)]*)?\)/g))
      assert.ok(existsSync(join(root, dirname(path), link)), `${path}: ${link}`)
})

test('a title that no test has, or that is only spoken of, is found out', () => {
  const titles = titlesIn("// test('one that was', () => 1)\ntest(`the ${one} two`, work)\nsay('not a test')")
  assert.equal([...titles], ['the … two'])
  assert.not(isThere({ file: 'wire/pop3', title: 'no such test as this' }))
  assert.not(isThere({ file: 'wire/nowhere', title: 'STLS is refused under TLS' }))
})

test.run()
