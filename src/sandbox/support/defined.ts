/** A type without the `undefined`s that optional fields of a checked body have. */
export type Defined<T> =
  T extends ReadonlyArray<infer Item>
    ? Defined<Item>[]
    : T extends object
      ? { [Name in keyof T]: Defined<Exclude<T[Name], undefined>> }
      : T

/** The same JSON value without names that are there but undefined. */
export function defined<T extends object>(value: T): Defined<T> {
  return JSON.parse(JSON.stringify(value)) as Defined<T>
}
