import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { VendorAdapter } from './adapter.js'
import { createHttpVendor, type HttpVendorSettings } from './http.js'

/** What a module with an own adapter exports as `adapter`. */
export interface VendorAdapterModule<E = Readonly<Record<string, string>>> {
  /** Its own VENDOR_* names: a zod object. Without one, `create` gets them as they are. */
  environment?: EnvironmentSchema<E>
  create(environment: E): VendorAdapter | Promise<VendorAdapter>
}

/** The part of a zod object that is used, of any version of zod. */
export interface EnvironmentSchema<E> {
  /** With it, names that it lacks are complained about. */
  readonly shape?: Readonly<Record<string, unknown>>
  safeParse(environment: unknown): { success: true; data: E } | { success: false; error: { issues: readonly Issue[] } }
}

interface Issue {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

export interface VendorSettings {
  /** `http` or the path of a module. */
  adapter: string
  http?: HttpVendorSettings
  /** The VENDOR_* names that are not the service's own. */
  environment: Readonly<Record<string, string>>
}

/** Throws an error that says what to mend when there is no such adapter. */
export async function loadVendor({ adapter, http, environment }: VendorSettings): Promise<VendorAdapter> {
  if (adapter !== 'http') return loadModule(resolve(adapter), environment)
  if (http === undefined) throw new Error('VENDOR_ADAPTER: http needs VENDOR_BASE_URL and VENDOR_API_KEY')
  return createHttpVendor(http)
}

async function loadModule(path: string, environment: Readonly<Record<string, string>>): Promise<VendorAdapter> {
  if (!existsSync(path)) throw new Error(`VENDOR_ADAPTER: expected http or the path of a module; nothing is at ${path}`)
  const module = await importModule(path)
  const exported: unknown = Reflect.get(module, 'adapter')
  if (!isAdapterModule(exported)) {
    throw new Error(`VENDOR_ADAPTER: ${path} must export "adapter", an object with a function "create"`)
  }
  const created = await exported.create(readEnvironment(exported, environment))
  const missing = VERBS.filter((verb) => typeof (created as Partial<VendorAdapter> | null)?.[verb] !== 'function')
  if (missing.length > 0) throw new Error(`VENDOR_ADAPTER: the adapter of ${path} lacks ${missing.join(', ')}`)
  if (!['undefined', 'function'].includes(typeof created.openReport)) {
    throw new Error(`VENDOR_ADAPTER: openReport of the adapter of ${path} must be a function`)
  }
  return created
}

const VERBS = ['capabilities', 'bindAccount', 'placeOrder', 'findOrder', 'getOrder', 'cancelOrder'] as const

async function importModule(path: string): Promise<object> {
  try {
    return (await import(pathToFileURL(path).href)) as object
  } catch (cause) {
    throw new Error(`VENDOR_ADAPTER: ${path} cannot be loaded`, { cause })
  }
}

function isAdapterModule(value: unknown): value is VendorAdapterModule<unknown> {
  return typeof value === 'object' && value !== null && 'create' in value && typeof value.create === 'function'
}

function readEnvironment(
  { environment: schema }: VendorAdapterModule<unknown>,
  environment: Readonly<Record<string, string>>,
): unknown {
  if (schema === undefined) return environment
  const { shape = environment } = schema
  const unknown = Object.keys(environment).filter((name) => !Object.hasOwn(shape, name))
  const read = schema.safeParse(environment)
  const complaints = unknown.map((name) => `${name}: not a name that the adapter knows`)
  if (!read.success) complaints.push(...read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`))
  if (complaints.length > 0 || !read.success) throw new Error(complaints.join('\n'))
  return read.data
}
