import { z } from 'zod'
import { settle } from '../../flow/to-feishu/outcomes.js'
import type { FeishuReads, ReadReply } from '../../flow/to-feishu/reads.js'
import type { FeishuReply } from '../../flow/to-feishu/reply.js'
import { type Problem, problem } from './problems.js'
import { type Answer, ok } from './route.js'

const api = 'tripartite_agreements.list'

interface Wanted {
  id?: string | undefined
  application_id?: string | undefined
}

const agreement = z
  .object({
    id: z.string(),
    application_id: z.string().optional(),
    state: z.int().optional(),
    create_time: z.string().optional(),
    modify_time: z.string().optional(),
  })
  .meta({ id: 'Agreement', description: "A tripartite agreement, with Feishu's own fields" })

export const agreementsFound = z.object({ items: z.array(agreement) }).meta({ id: 'AgreementsFound' })

/** What Feishu says about an agreement now: at most one (contract §3.9). */
export async function askForAgreements(
  reads: FeishuReads,
  appId: string,
  tenantKey: string,
  { id, application_id }: Wanted,
): Promise<Answer<z.output<typeof agreementsFound>>> {
  const query = {
    ...(application_id !== undefined && { application_id }),
    ...(id !== undefined && { tripartite_agreement_id: id }),
  }
  const reply = await reads.ask(appId, tenantKey, { api, query })
  if (reply.kind !== 'answer' || reply.code !== 0) return problemOf(reply)
  const read = found.safeParse(reply.data)
  return read.success
    ? ok({ items: read.data.items })
    : problem('feishu-refused', 'Feishu answered in a form that is not documented')
}

const text = z.union([z.string(), z.number()]).transform(String)

/** Feishu's fields as it has them; ids and times are texts whatever they came as. */
const found = z.object({
  items: z
    .array(
      z.object({
        id: text,
        application_id: text.optional(),
        state: z.number().optional(),
        create_time: text.optional(),
        modify_time: text.optional(),
      }),
    )
    .nullish()
    .transform((items) => items ?? []),
})

const soonMs = 1000

function problemOf(reply: ReadReply): Problem {
  if (reply.kind === 'no_slot') return later('the calls that Feishu allows are used up for a moment', reply.retryInMs)
  if (reply.kind === 'no_token') {
    const reason = `Feishu gives no token: ${reply.reason}`
    return reply.class === 'later' ? later(reason, reply.retryInMs) : problem('feishu-refused', reason)
  }
  return problemOfReply(reply)
}

/** By the table that decides for deliveries, too. */
function problemOfReply(reply: FeishuReply): Problem {
  const facts = { attempts: 1, wasAmbiguous: false, orderEndedHere: false, cancelKnown: false, random: 0 }
  const outcome = settle({ api, reply, ...facts, tokenWasRefreshed: true })
  if (outcome.kind === 'slow_down') return later('Feishu asked to slow down', outcome.resetMs)
  const reason = 'reason' in outcome ? outcome.reason : 'an answer that is not documented'
  if (outcome.kind === 'retry' || reply.kind !== 'answer') return later(reason, soonMs)
  return problem('feishu-refused', `Feishu refused with code ${reply.code}: ${reason}`)
}

function later(reason: string, inMs: number): Problem {
  const headers = { 'Retry-After': String(Math.max(1, Math.ceil(inMs / 1000))) }
  return problem('feishu-unavailable', reason, { headers })
}
