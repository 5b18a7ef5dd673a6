import { randomBytes } from 'node:crypto'
import pg from 'pg'

/**
 * A database of its own on the server of the run, since a restore looks at everybody who is connected to its database. It
 * goes with the server.
 */
export async function emptyDatabase(serverUrl: string): Promise<string> {
  const name = `t_${randomBytes(6).toString('hex')}`
  const client = new pg.Client({ connectionString: serverUrl })
  await client.connect()
  await client.query(`CREATE DATABASE ${name}`)
  await client.end()
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}
