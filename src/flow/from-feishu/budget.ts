/** Bytes that many may hold together: what one cannot have, it goes without. */
export interface Budget {
  /** Whether so many were left; then they are taken. */
  take(bytes: number): boolean
  give(bytes: number): void
}

export function createBudget(most: number): Budget {
  let left = most
  return {
    take: (bytes) => {
      if (bytes > left) return false
      left -= bytes
      return true
    },
    give: (bytes) => {
      left += bytes
    },
  }
}
