/** One command for an operation of /v1, on the database itself: it works while no service runs, too. */
export interface Verb {
  noun: string
  verb: string
  about: string
  /** Of src/operate/api/routes.ts. */
  operation: string
  /** What stands in the path, in the order in which it is typed: its name there, and how the help shows it. */
  ids?: ReadonlyArray<{ name: string; shown: string }>
  flags?: readonly Flag[]
  /** Name of a file argument whose JSON is the body. */
  file?: { shown: string; about: string }
  /** Sent along always. */
  always?: { query?: Readonly<Record<string, string>>; body?: Readonly<Record<string, unknown>> }
  /** Columns of a list; an answer without them is shown whole. */
  columns?: readonly string[]
  /** What is done, in words: `{id}` is the first id. Shown where the answer itself tells nothing new. */
  done?: string
}

export interface Flag {
  /** As commander has it. */
  flag: string
  about: string
  into: 'query' | 'body' | 'filter'
  name: string
  values?: readonly string[]
}
