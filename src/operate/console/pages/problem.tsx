import { type Problem, problems } from '../../api/problems.js'
import { renderVisit } from '../layout.js'
import { html, type Shown } from '../page.js'
import type { Visit } from '../visit.js'

/** What was refused, and why, in the words of /v1. */
export function showProblem(visit: Visit, problem: Problem): Shown {
  const { status } = problems[problem.name]
  return html(renderVisit(visit, visit.t('refused'), <Refusal visit={visit} problem={problem} />), status)
}

export function complaint(visit: Visit, text: string) {
  return (
    <>
      <p class="complaint" role="alert">
        {text}
      </p>
      <Back visit={visit} />
    </>
  )
}

function Refusal({ visit, problem }: { visit: Visit; problem: Problem }) {
  return (
    <>
      <Complaint problem={problem} />
      <Back visit={visit} />
    </>
  )
}

function Back({ visit }: { visit: Visit }) {
  return (
    <p class="back">
      <a href={visit.back}>{visit.t('back')}</a>
    </p>
  )
}

export function Complaint({ problem }: { problem: Problem }) {
  const { title } = problems[problem.name]
  return (
    <div class="complaint" role="alert">
      <p>
        <strong>{title}</strong> <code>{problem.name}</code>
      </p>
      <p>{problem.detail}</p>
      {problem.errors !== undefined && (
        <ul>
          {problem.errors.map(({ path, message }) => (
            <li key={path}>
              <code>{path}</code>: {message}
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
