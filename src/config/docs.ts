import { type Variable, variables } from './variables.js'

/** `.env.example` and docs/environment.md, written from the table of variables: `npm run docs`. */

const groups = [
  { title: 'The service', names: /^(HOST|PORT|LOG_LEVEL|BGC_.*)$/ },
  { title: 'Database and queue', names: /^(DATABASE|REDIS)_/ },
  { title: 'Feishu', names: /^FEISHU_/ },
  { title: "The vendor's system", names: /^VENDOR_/ },
]

type Table = Readonly<Record<string, Variable<unknown>>>
type Row = readonly [name: string, variable: Variable<unknown>]

/** Every variable of the table under a title; one that fits none is refused, so that none is left out. */
function grouped(table: Table): { title: string; rows: Row[] }[] {
  const rows = Object.entries(table)
  const lost = rows.filter(([name]) => !groups.some(({ names }) => names.test(name)))
  if (lost.length > 0) throw new Error(`no group in src/config/docs.ts fits ${lost.map(([name]) => name).join(', ')}`)
  return groups.map(({ title, names }) => ({ title, rows: rows.filter(([name]) => names.test(name)) }))
}

/** What `.env.example` holds: a copy of it starts as it is once the values that are required have been replaced. */
export function envExample(table: Table = variables): string {
  const sections = grouped(table).map(
    ({ title, rows }) => `# ── ${title} ──\n\n${rows.map((row) => `${exampleOf(row)}\n`).join('\n')}`,
  )
  return `${exampleHead}\n${sections.join('\n')}`
}

const exampleHead = `# Written by \`npm run docs\` from src/config/variables.ts; docs/environment.md says more.
# A commented line shows the default, or an example where there is none.
`

function exampleOf([name, variable]: Row): string {
  const notes = [variable.about.replaceAll('`', ''), ...requiredNote(variable), ...fileNote(name, variable)]
  const comment = wrap(notes.join(' '), 117).map((line) => `# ${line}`)
  const value = variable.fallback || (variable.example ?? '')
  const mustBeSet = variable.required !== undefined && variable.fallback === undefined
  return [...comment, `${mustBeSet ? '' : '# '}${name}=${value}`].join('\n')
}

/** docs/environment.md. */
export function environmentPage(table: Table = variables): string {
  const sections = grouped(table).map(
    ({ title, rows }) =>
      `## ${title}\n\n| name | default | meaning |\n|---|---|---|\n${rows.map((row) => `${lineOf(row)}\n`).join('')}`,
  )
  return `${pageHead}\n${sections.join('\n')}\n${pageFoot}`
}

const pageHead = `# Environment

Written by \`npm run docs\` from \`src/config/variables.ts\`; do not edit.

- Unknown names that begin with \`BGC_\`, \`FEISHU_\` or \`VENDOR_\`, and missing or malformed values, stop the start with one
  message that lists every problem, and exit code 78. No message shows a secret.
- An empty value counts as not set.
- A secret can be in a file instead: \`NAME_FILE\` names it, and a trailing newline is cut. Setting both is an error.
- Names that Kubernetes makes for a service named \`bgc-bridge\` (\`BGC_BRIDGE_SERVICE_HOST\` and the like) are passed over.
- A file \`.env\` in the working directory is read too; what is set in the environment wins.
- With an own adapter (\`VENDOR_ADAPTER\` is not \`http\`), other \`VENDOR_*\` names are handed to it.
`

const pageFoot = `## Also read

| name | meaning |
|---|---|
| \`NODE_ENV\` | \`production\` makes \`BGC_ENCRYPTION_KEYS\` required. |
| \`HTTPS_PROXY\`, \`HTTP_PROXY\`, \`NO_PROXY\` | Proxies for the calls to Feishu and to the vendor, as curl has them; lower-case names work too. |
| \`OTEL_*\` | OpenTelemetry's own variables turn traces on; [tracing.md](tracing.md) says which. |
`

function lineOf([name, variable]: Row): string {
  const notes = [variable.about, ...requiredNote(variable), ...exampleNote(variable)]
  const names = variable.secret ? `\`${name}\`, \`${name}_FILE\`` : `\`${name}\``
  return `| ${names} | ${defaultOf(variable)} | ${notes.join(' ').replaceAll('|', '\\|')} |`
}

function defaultOf({ fallback, required }: Variable<unknown>): string {
  if (fallback) return `\`${fallback}\``
  return required === undefined || fallback !== undefined ? 'none' : 'required'
}

function requiredNote({ required }: Variable<unknown>): string[] {
  return required === undefined ? [] : [`Required ${required}.`]
}

function fileNote(name: string, { secret }: Variable<unknown>): string[] {
  return secret ? [`Or ${name}_FILE.`] : []
}

/** An example explains a format; of a secret it would only be a placeholder. */
function exampleNote({ example, secret, fallback }: Variable<unknown>): string[] {
  return example === undefined || secret || fallback ? [] : [`Example: \`${example}\`.`]
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
  }
  return lines
}
