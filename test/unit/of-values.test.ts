import pg from 'pg'
import { expect, test } from 'vitest'
import { isOfDatabase, isOfValues, sqlStateOf } from '../../src/platform/database/of-values.js'

const ofPostgres = (code: string) => Object.assign(new pg.DatabaseError('x', 1, 'error'), { code })
const ofNode = (code: string) => Object.assign(new Error('x'), { code })

test.each([
  ['a row that is there already', ofPostgres('23505'), '23505', 'values'],
  ['more than PostgreSQL takes', ofPostgres('54000'), '54000', 'values'],
  ['a deadlock', ofPostgres('40P01'), '40P01', 'database'],
  ['a disk that is full', ofPostgres('53100'), '53100', 'database'],
  ['a table that is missing', ofPostgres('42P01'), '42P01', 'database'],
  ['a pipe that broke, five letters as well', ofNode('EPIPE'), undefined, 'database'],
  ['a name that is not found for now', ofNode('EAI_AGAIN'), undefined, 'database'],
  ['a connection without a code', new Error('Connection terminated unexpectedly'), undefined, 'database'],
  ['a certificate that is over', ofNode('CERT_HAS_EXPIRED'), undefined, 'database'],
  ['a name that a certificate is not for', ofNode('ERR_TLS_CERT_ALTNAME_INVALID'), undefined, 'database'],
  ['an argument of ours', ofNode('ERR_INVALID_ARG_TYPE'), undefined, 'neither'],
  ['a code of Prisma, which looks like a state', ofNode('P2002'), undefined, 'neither'],
  ['a code of a class of values that is nobody’s', ofNode('22P02'), undefined, 'neither'],
  ['an error without a code', new Error('x'), undefined, 'neither'],
  ['no error at all', '23505', undefined, 'neither'],
])('%s', (_, failure, state, of) => {
  expect(sqlStateOf(failure)).toBe(state)
  expect(isOfValues(failure)).toBe(of === 'values')
  expect(isOfDatabase(failure)).toBe(of === 'database')
})
