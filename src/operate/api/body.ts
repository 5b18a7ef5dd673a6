import express, { type Request, type Response } from 'express'
import { type Problem, problem } from './problems.js'

const mostBytes = 1_048_576
const parse = express.json({ limit: mostBytes, inflate: false, type: () => true })

/** The JSON body of a request; `undefined` when there is none. */
export async function readBody(
  request: Request,
  response: Response,
): Promise<{ kind: 'body'; value: unknown } | Problem> {
  if (!hasBody(request)) return { kind: 'body', value: undefined }
  if (!/^application\/json *(;|$)/i.test(request.headers['content-type'] ?? '')) {
    return problem('unsupported-media-type', 'expected Content-Type: application/json')
  }
  const failure = await new Promise<unknown>((resolve) => {
    parse(request, response, resolve)
  })
  return failure === undefined ? { kind: 'body', value: request.body } : problemOf(failure)
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

function problemOf(failure: unknown): Problem {
  const status = failure instanceof Error && 'status' in failure ? failure.status : undefined
  if (status === 413) return problem('payload-too-large', `expected ${mostBytes} bytes or fewer`)
  if (status === 415) return problem('unsupported-media-type', 'expected UTF-8 without a content encoding')
  if (status === 400) return problem('invalid-request', 'expected a JSON object or array as the body')
  throw failure
}
