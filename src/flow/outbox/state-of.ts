/**
 * The state of a delivery that is found by something else. Of the bare column PostgreSQL may prefer the index, which has
 * what is in this state of all lanes, and dead entries until the next vacuum: it thinks of how many there were when it last
 * counted.
 */
export const stateOf = (row: string): string => `${row}.state || ''`
