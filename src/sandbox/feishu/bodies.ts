import { z } from 'zod'

/** Request bodies of contract §3.2–3.9. Every object is strict: what is not documented is refused. */

const id = z.string().regex(/^\d{1,19}$/, 'expected an id of up to 19 digits as a string')
const milliseconds = z.string().regex(/^\d{13}$/, 'expected milliseconds since 1970 as a string of 13 digits')
const text = (max: number) => z.string().min(1).max(max)

/** Feishu documents no lengths here: the sandbox takes the caps that contract §3.2 advises. */
const reports = z
  .array(
    z.strictObject({
      report_name: text(100),
      report_url: z.url({ protocol: /^https?$/ }).max(2048),
      report_url_type: z.union([z.literal(1), z.literal(2)]).optional(),
    }),
  )
  .max(20)

const operatorRole = z.union([z.literal(1), z.literal(2)]).optional()

const progress = z
  .strictObject({
    background_check_id: id,
    stage_id: z.string().regex(/^[\x21-\x7e]{1,36}$/, 'expected 1 to 36 ASCII characters'),
    stage_name: text(100),
    stage_en_name: z.string().max(100).optional(),
    stage_time: milliseconds,
    result: z.string().max(100).optional(),
    operator_role: operatorRole,
    report_file_list: reports.optional(),
  })
  .refine((body) => body.result === undefined || (body.report_file_list ?? []).length > 0, {
    path: ['report_file_list'],
    error: 'expected at least one report, because result is present',
  })

const result = z.strictObject({
  background_check_id: id,
  result: text(100),
  result_time: milliseconds,
  operator_role: operatorRole,
  report_file_list: reports.optional(),
})

const cancel = z.strictObject({ background_check_id: id })

const label = z.strictObject({ zh_cn: z.string().optional(), en_us: z.string().optional() })

const fieldTypes = ['text', 'textarea', 'number', 'boolean', 'select', 'multiselect', 'date', 'file', 'resume'] as const

const customField = z
  .strictObject({
    type: z.enum(fieldTypes),
    key: text(100),
    name: label,
    is_required: z.boolean(),
    description: label.optional(),
    options: z.array(z.strictObject({ key: text(100), name: label })).optional(),
  })
  .refine((field) => !field.type.endsWith('select') || (field.options ?? []).length > 0, {
    path: ['options'],
    error: 'expected options, because the type is select or multiselect',
  })

const customFields = z.strictObject({ account_id: id, custom_field_list: z.array(customField).min(1) })
const accountOnly = z.strictObject({ account_id: id })

const catalogItem = z.strictObject({ id: text(36), name: text(100), description: z.string().optional() })
/** §3.6: chunks of at most 50, and no empty list, are what the contract takes for granted. */
const packages = z.strictObject({
  account_id: id,
  package_list: z.array(catalogItem).min(1).max(50),
  additional_item_list: z.array(catalogItem).max(50).optional(),
})
const packagesDelete = z.strictObject({
  account_id: id,
  package_id_list: z.array(text(36)).max(50).optional(),
  additional_item_id_list: z.array(text(36)).max(50).optional(),
})

const scope = z.union([z.literal(1), z.literal(2)])
const accountField = z.strictObject({
  key: text(100),
  name: label,
  is_required: z.boolean(),
  description: label.optional(),
})
const accountFields = z.strictObject({ scope, custom_field_list: z.array(accountField).min(1) })
const accountFieldsDelete = z.strictObject({ scope, custom_field_key_list: z.array(text(100)).optional() })

const agreementCreate = z.strictObject({ application_id: id, state: z.int(), create_time: milliseconds })
const agreementUpdate = z.strictObject({ state: z.int(), modify_time: milliseconds })

const orderQuery = z.strictObject({
  background_check_order_id_list: z.array(id).optional(),
  update_start_time: milliseconds.optional(),
  update_end_time: milliseconds.optional(),
  begin_start_time: milliseconds.optional(),
  begin_end_time: milliseconds.optional(),
  application_id: id.optional(),
  order_status: z.enum(['2', '3', '4', '5', '6', '8', '9']).optional(),
})

export const bodies = {
  update_progress: progress,
  update_result: result,
  cancel,
  'custom_fields.create': customFields,
  'custom_fields.batch_update': customFields,
  'custom_fields.batch_delete': accountOnly,
  'packages.create': packages,
  'packages.batch_update': packages,
  'packages.batch_delete': packagesDelete,
  'account_custom_fields.create': accountFields,
  'account_custom_fields.batch_update': accountFields,
  'account_custom_fields.batch_delete': accountFieldsDelete,
  'tripartite_agreements.create': agreementCreate,
  'tripartite_agreements.update': agreementUpdate,
  'background_check_orders.batch_query': orderQuery,
} as const

export type Body<Name extends keyof typeof bodies> = z.infer<(typeof bodies)[Name]>
