import pg from 'pg'

/**
 * A pool whose connections are listened to from their first moment: one that breaks while it is being made, idle or being
 * ended is replaced or gone already, and without a listener its error would end the process. `end` of a pool does not
 * wait until its connections are closed.
 */
export function openPool(config: pg.PoolConfig, onLost: (failure: Error) => void = () => undefined): pg.Pool {
  class WatchedClient extends pg.Client {
    constructor(clientConfig?: string | pg.ClientConfig) {
      super(clientConfig)
      this.on('error', onLost)
    }
  }
  const pool = new pg.Pool({ ...config, Client: WatchedClient })
  // The pool says once more what the connection's own listener heard.
  pool.on('error', () => undefined)
  return pool
}
