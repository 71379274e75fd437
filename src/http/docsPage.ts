import { createHash } from 'node:crypto'
import type { OpenApi } from './openapi.ts'

type Json = Readonly<Record<string, unknown>>

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; }
nav ul { columns: 14rem; padding-left: 1rem; }
h2 { border-bottom: 1px solid; margin-top: 3rem; }
details { border: 1px solid; border-radius: .3rem; margin: .5rem 0; padding: .3rem .7rem; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary code { font-weight: bold; }
pre { overflow-x: auto; padding: .5rem; border-left: 3px solid; }
.table { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid; }
`

/** Nothing is loaded from anywhere and no script runs: the one style sheet is named by its digest. */
export const docsPolicy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const text = (value: unknown) =>
  (typeof value === 'string' ? value : '').replaceAll(/[&<>"']/g, (one) => escapes[one] ?? one)
const json = (value: unknown) => `<pre tabindex="0">${text(JSON.stringify(value, undefined, 2))}</pre>`
const record = (value: unknown) => (value ?? {}) as Json
const list = (value: unknown) => (value ?? []) as readonly Json[]

const table = (headings: readonly string[], rows: readonly (readonly string[])[]) =>
  rows.length === 0
    ? ''
    : `<div class="table" tabindex="0"><table><tr>${headings.map((one) => `<th scope="col">${one}</th>`).join('')}</tr>${rows
        .map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
        .join('')}</table></div>`

const contentOf = (of: unknown) =>
  Object.entries(record(record(of)['content']))
    .map(
      ([type, one]) =>
        `<p><code>${text(type)}</code></p>${'example' in record(one) ? json(record(one)['example']) : ''}`,
    )
    .join('')

const operation = (path: string, method: string, of: Json) => {
  const parameters = list(of['parameters']).map((one) => [
    `<code>${text(one['name'])}</code>${one['required'] === true ? ' (required)' : ''}`,
    text(one['in']),
    text(one['description'] ?? record(one['schema'])['description']),
  ])
  const answers = Object.entries(record(of['responses'])).map(
    ([status, answer]) => `<h4>${text(status)} ${text(record(answer)['description'])}</h4>${contentOf(answer)}`,
  )
  const body = of['requestBody'] ? `<h3>Body</h3>${contentOf(of['requestBody'])}` : ''
  return `<details id="${text(of['operationId'])}"><summary><code>${method.toUpperCase()} ${text(path)}</code> ${text(of['summary'])}</summary>
<p>${text(of['description'])}</p>${table(['Parameter', 'In', ''], parameters)}${body}<h3>Answers</h3>${answers.join('')}</details>`
}

/** The API's documentation as one page that stands by itself. */
export const docsPage = (document: OpenApi): string => {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, of]) => ({
      tag: text(list(of['tags'])[0]),
      html: operation(path, method, of),
    })),
  )
  const info = record(document['info'])
  const sections = [...Map.groupBy(operations, ({ tag }) => tag)]
  const problem = Object.values(document.components.schemas)
    .map(record)
    .find((one) => one['title'] === 'Problem')
  const codes = list(record(record(problem?.['properties'])['code'])['oneOf']).map((one) => [
    `<code>${text(one['const'])}</code>`,
    text(one['description']),
  ])
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(info['title'])}</title><style>${style}</style></head><body>
<h1>${text(info['title'])} ${text(info['version'])}</h1><p>${text(info['description'])}</p>
<p>The same for programs: <a href="/v1/openapi.json">/v1/openapi.json</a> (OpenAPI 3.1).</p>
<nav aria-label="Contents"><ul>${sections.map(([tag]) => `<li><a href="#${tag}">${tag}</a></li>`).join('')}<li><a href="#codes">codes of problems</a></li></ul></nav>
<main>${sections.map(([tag, all]) => `<h2 id="${tag}">${tag}</h2>${all.map(({ html }) => html).join('\n')}`).join('\n')}
<h2 id="codes">Codes of problems</h2>${table(['Code', 'Status and meaning'], codes)}</main></body></html>
`
}
