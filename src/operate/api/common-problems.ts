import { type ProblemName, problems } from './problems.js'
import { isWrite, type Route, readsBody } from './route.js'

const ofAll = [
  'invalid-request',
  'unauthorized',
  'forbidden',
  'too-many-failures',
  'too-many-requests',
  'internal',
  'unavailable',
] as const satisfies ProblemName[]
const ofBodies = ['payload-too-large', 'unsupported-media-type'] as const satisfies ProblemName[]
const ofWrites = ['idempotency-key-in-use', 'answer-lost', 'idempotency-key-reused'] as const satisfies ProblemName[]

/** Every problem that an operation can answer with, in the order of the table of problems. */
export function problemsOf(route: Pick<Route, 'method' | 'onlyReads' | 'body' | 'problems'>): ProblemName[] {
  const its = new Set<string>([
    ...ofAll,
    ...(readsBody(route) ? ofBodies : []),
    ...(isWrite(route) ? ofWrites : []),
    ...route.problems,
  ])
  return problemNames.filter((name) => its.has(name))
}

export const problemNames = Object.keys(problems).filter((name): name is ProblemName => name in problems)
