import { z } from 'zod'

/** Values in paths and queries. PostgreSQL takes no NUL in a text, so control characters are refused here. */
export const text = z
  .string()
  .max(200, 'expected 200 characters or fewer')
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'expected text without control characters')

export const feishuId = z.string().regex(/^[0-9]{1,32}$/, 'expected an id of 1 to 32 digits')

const largestBigInt = 9_223_372_036_854_775_807n

/** An id that this service counted itself. */
export const rowId = z
  .string()
  .regex(/^[1-9]\d{0,18}$/, 'expected an id')
  .transform(BigInt)
  .refine((id) => id <= largestBigInt, 'expected an id')

export const flag = z.enum(['true', 'false'], 'expected true or false').transform((value) => value === 'true')

export const oneOf = <const T extends string>(values: readonly T[]) =>
  z.enum(values, `expected one of ${values.join(', ')}`)
