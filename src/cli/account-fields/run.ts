import { createInterface } from 'node:readline/promises'
import { type AuditEntry, addToAudit } from '../../flow/audit.js'
import type { FormKey } from '../../flow/catalog/binding-form/rows.js'
import { type FormLine, type WantedForm, wantForm } from '../../flow/catalog/binding-form/sync.js'
import type { AccountField } from '../../flow/map.js'
import { exitCodes } from '../exit-codes.js'
import type { Io } from '../io.js'
import { userOfCommand } from '../user.js'
import type { CommandParts } from '../with-database.js'
import { listed } from './form-file.js'

export interface AccountFieldsOptions {
  verb: 'plan' | 'apply'
  tenantKey: string
  app: string | undefined
  allowIrreversible: boolean
  json: boolean
}

/** Answers the exit code; throws with every complaint about the app or the form. */
export async function runAccountFields(
  parts: CommandParts,
  fields: AccountField[],
  options: AccountFieldsOptions,
  io: Io,
  ask: Ask | null = process.stdin.isTTY ? askAtTerminal : null,
): Promise<number> {
  const key = { appId: appOf(parts, options.app), tenantKey: options.tenantKey }
  const isPlan = options.verb === 'plan'
  const first = await want(parts, key, fields, { allow: isPlan || options.allowIrreversible, dryRun: isPlan })
  const isAgreed = first.kind === 'irreversible' && (await agrees(first.plan, io, ask))
  return report(isAgreed ? await want(parts, key, fields, { allow: true, dryRun: false }) : first, options, io)
}

function want(
  { database, sealer }: CommandParts,
  key: FormKey,
  fields: AccountField[],
  { allow, dryRun }: { allow: boolean; dryRun: boolean },
): Promise<WantedForm> {
  const wish = { fields, allowIrreversible: allow, dryRun }
  return database.transaction(async (sql) => {
    const wanted = await wantForm(sql, sealer, key, wish)
    if (!dryRun && wanted.kind !== 'refused') await addToAudit(sql, [entryOf(key, wanted)])
    return wanted
  })
}

function entryOf({ appId, tenantKey }: FormKey, wanted: Exclude<WantedForm, { kind: 'refused' }>): AuditEntry {
  const done = wanted.kind === 'wanted'
  return {
    actor: userOfCommand(),
    via: 'cli',
    action: 'account_fields.apply',
    subject: `account_fields:${appId}:${tenantKey}`,
    outcome: done ? 'done' : 'refused',
    after: { calls: wanted.plan.length, delivery_ids: done ? wanted.deliveryIds : [] },
  }
}

function appOf({ config }: CommandParts, named: string | undefined): string {
  const ids = config.feishu.apps.map((app) => app.appId)
  const [only, other] = ids
  if (named === undefined && only !== undefined && other === undefined) return only
  if (named !== undefined && ids.includes(named)) return named
  const why = named === undefined ? 'there is more than one' : 'none of them was named'
  throw new Error(`--app: expected one of the apps of this service: ${ids.join(', ')} (${why})`)
}

/** Answers what a person typed. */
export type Ask = (question: string) => Promise<string>

const askAtTerminal: Ask = async (question) => {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(question)
  } finally {
    lines.close()
  }
}

/** A person is shown the plan and asked; a script has to agree beforehand. */
async function agrees(plan: readonly FormLine[], io: Io, ask: Ask | null): Promise<boolean> {
  if (ask === null) return false
  io.err(shown(plan))
  return (await ask('This cannot be undone. Type yes to go on: ')).trim() === 'yes'
}

function report(wanted: WantedForm, { verb, json }: AccountFieldsOptions, io: Io): number {
  if (wanted.kind === 'refused') throw new Error(`Feishu would not take this form:\n${listed(wanted.complaints)}`)
  const deliveryIds = wanted.kind === 'wanted' ? wanted.deliveryIds : []
  if (json) io.out(`${JSON.stringify({ plan: wanted.plan, delivery_ids: deliveryIds })}\n`)
  else io.out(shown(wanted.plan))
  if (wanted.kind === 'irreversible') {
    io.err('nothing was done: agree to what cannot be undone with --allow-irreversible\n')
    return exitCodes.failure
  }
  if (!json && verb === 'apply' && deliveryIds.length > 0) {
    io.out(
      `the service sends them as ${deliveryIds.length === 1 ? 'delivery' : 'deliveries'} ${deliveryIds.join(', ')}\n`,
    )
  }
  return exitCodes.ok
}

function shown(plan: readonly FormLine[]): string {
  if (plan.length === 0) return 'nothing to do: Feishu has this form, or is being told\n'
  return plan
    .map(
      ({ api, summary, irreversible }, index) =>
        `${index + 1}. ${api}: ${summary}${irreversible ? ' (cannot be undone)' : ''}\n`,
    )
    .join('')
}
