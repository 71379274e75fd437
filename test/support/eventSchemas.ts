import { join } from 'node:path'
import ts from 'typescript'

/** A JSON Schema, as far as events need it. */
export type Schema = { readonly [keyword: string]: unknown }

const root = join(import.meta.dirname, '../..')

/** The schema of each event's data and of the metadata, made from the types in src/core/events.ts themselves. */
export const schemasOfToday = (): { readonly events: Readonly<Record<string, Schema>>; readonly metadata: Schema } => {
  const file = join(root, 'src/core/events.ts')
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    readonly config: { readonly compilerOptions: object }
  }
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  const program = ts.createProgram([file], options)
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(file)
  const module = source && checker.getSymbolAtLocation(source)
  if (!module) throw new Error(`${file} is no module`)
  const typeNamed = (name: string) => {
    const symbol = checker.getExportsOfModule(module).find((exported) => exported.name === name)
    if (!symbol) throw new Error(`${file} does not export ${name}`)
    return checker.getDeclaredTypeOfSymbol(symbol)
  }
  const schema = schemaBy(checker)
  const all = typeNamed('EventData').getProperties()
  return {
    events: Object.fromEntries(all.map((one) => [one.name, schema(checker.getTypeOfSymbol(one))])),
    metadata: schema(typeNamed('Metadata')),
  }
}

const schemaBy = (checker: ts.TypeChecker) => {
  const schema = (type: ts.Type): Schema => {
    if (type.isUnion()) return unionOf(type)
    // A branded id is its text.
    if (type.isIntersection()) return schema(type.types.find(({ flags }) => isPlain(flags)) ?? type)
    if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value }
    if (type.flags & ts.TypeFlags.TemplateLiteral) return { type: 'string', pattern: patternOf(type) }
    if (type.flags & ts.TypeFlags.BooleanLiteral) return { const: checker.typeToString(type) === 'true' }
    if (type.flags & ts.TypeFlags.String) return { type: 'string' }
    if (type.flags & ts.TypeFlags.Number) return { type: 'number' }
    if (type.flags & ts.TypeFlags.Unknown) return {}
    if (type.flags & ts.TypeFlags.Null) return { type: 'null' }
    if (checker.isArrayType(type)) return { type: 'array', items: schema(elementOf(type)) }
    if (type.flags & ts.TypeFlags.Object) return objectOf(type)
    throw new Error(`no schema for ${checker.typeToString(type)}`)
  }

  const unionOf = ({ types }: ts.UnionType): Schema => {
    const literals = types.filter((one) => one.isStringLiteral()).map(({ value }) => value)
    const others = types.filter((one) => !one.isStringLiteral() && !(one.flags & ts.TypeFlags.Undefined)).map(schema)
    const all = [...(literals.length > 0 ? [{ enum: literals.toSorted() }] : []), ...others]
    return all.length === 1 ? (all[0] ?? {}) : { anyOf: all.toSorted(byText) }
  }

  const elementOf = (type: ts.Type) => {
    const [element] = checker.getTypeArguments(type as ts.TypeReference)
    if (!element) throw new Error(`no element in ${checker.typeToString(type)}`)
    return element
  }

  const objectOf = (type: ts.Type): Schema => {
    const values = type.getStringIndexType()
    if (values) return { type: 'object', additionalProperties: schema(values) }
    const of = type.getProperties().toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const isRequired = ({ flags }: ts.Symbol) => !(flags & ts.SymbolFlags.Optional)
    return {
      type: 'object',
      properties: Object.fromEntries(of.map((one) => [one.name, schema(checker.getTypeOfSymbol(one))])),
      required: of.filter(isRequired).map(({ name }) => name),
      additionalProperties: false,
    }
  }
  return schema
}

const isPlain = (flags: ts.TypeFlags) => (flags & (ts.TypeFlags.String | ts.TypeFlags.Number)) !== 0
const byText = (a: Schema, b: Schema) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)

/** `peer:${string}` as a regular expression. */
const patternOf = (type: ts.Type) => `^${(type as ts.TemplateLiteralType).texts.join('.*')}$`
