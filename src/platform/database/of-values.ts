/**
 * Whether PostgreSQL refused values, or how many there were, and not because of its own state: the same again fails
 * again. SQLSTATE classes 21, 22, 23 and 54.
 */
export function isOfValues(failure: unknown): boolean {
  return failure instanceof Error && 'code' in failure && /^(21|22|23|54)/.test(String(failure.code))
}
