/** The other side of `child.ts`: says that it is up and answers questions until it is told to stop. */
export type Answers = Record<string, (given: never) => unknown>

interface Question {
  id: number
  question: string
  given?: never
}

export function answerQuestions(answers: Answers, stop: () => Promise<void>): void {
  process.on('message', async ({ id, question, given }: Question) => {
    if (question === 'stop') {
      await stop()
      process.exit(0)
    }
    try {
      process.send?.({ id, value: await answers[question]?.(given as never) })
    } catch (failure) {
      process.send?.({ id, failure: failure instanceof Error ? failure.stack : String(failure) })
    }
  })
  process.on('disconnect', () => process.exit(0))
  process.send?.({ id: 0 })
}
