import type { Response } from 'express'
import { type Problem, problemJson, problems } from './problems.js'

/** An answer as it goes out: from 400 on the body is a problem. */
export interface Reply {
  status: number
  body: object
  headers: Readonly<Record<string, string>>
}

export function replyOf(answer: Problem): Reply {
  return { status: problems[answer.name].status, body: problemJson(answer), headers: answer.headers ?? {} }
}

export function sendReply(response: Response, { status, body, headers }: Reply): void {
  response
    .status(status)
    .set({ 'Cache-Control': 'no-store', ...headers })
    .type(status < 400 ? 'application/json' : 'application/problem+json')
    .send(JSON.stringify(body))
}

export function sendProblem(response: Response, answer: Problem): void {
  sendReply(response, replyOf(answer))
}
