import express from 'express'
import pg from 'pg'

/* What a service on Express 5 and pg costs before it does anything: the baseline of the starts. */

const { PORT, HOST = '127.0.0.1', DATABASE_URL } = process.env
const pool = new pg.Pool({ connectionString: DATABASE_URL })
await pool.query('SELECT 1')

const app = express()
app.get('/readyz', (_request, response) => {
  response.json({ status: 'ok' })
})
app.get('/metrics', (_request, response) => {
  const { rss, heapUsed } = process.memoryUsage()
  const figures = [`bgc_process_resident_memory_bytes ${rss}`, `bgc_nodejs_heap_size_used_bytes ${heapUsed}`]
  response.type('text').send(`${figures.join('\n')}\n`)
})
const server = app.listen(Number(PORT), HOST)
process.once('SIGINT', () => {
  server.close()
  process.exit(0)
})
