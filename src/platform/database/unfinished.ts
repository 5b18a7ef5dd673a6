/** Rows of `_prisma_migrations` whose migration runs, was killed, or failed. */
export const UNFINISHED = 'finished_at IS NULL AND rolled_back_at IS NULL'
