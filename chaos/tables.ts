import type { Member } from '../lab/member.ts'
import { query, type Row } from '../lab/sql.ts'
import type { FinalState } from './history.ts'

export const ACCOUNTS = 20
export const OPENING_BALANCE = 1000

const SCHEMA = `
  CREATE TABLE written (id bigint PRIMARY KEY, client text NOT NULL);
  CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL);
  INSERT INTO account SELECT id, ${OPENING_BALANCE} FROM generate_series(1, ${ACCOUNTS}) id;
  CREATE TABLE transfer (id bigint PRIMARY KEY, debtor int NOT NULL, creditor int NOT NULL, amount int NOT NULL);
  CREATE TABLE list (id int PRIMARY KEY, items bigint[] NOT NULL)`

/** Where the write is in the WAL: position, and the name of its file, which begins with the timeline. */
export const PLACE = 'pg_current_wal_insert_lsn()::text AS lsn, pg_walfile_name(pg_current_wal_insert_lsn()) AS file'

export async function createTables(primary: Member): Promise<void> {
  await primary.sql(SCHEMA)
}

/** @param row of a statement that returned PLACE */
export function placeOf(row: Row | undefined): { readonly position: number; readonly timeline: number } {
  const [high = '0', low = '0'] = String(row?.['lsn']).split('/')
  return {
    position: Number.parseInt(high, 16) * 2 ** 32 + Number.parseInt(low, 16),
    timeline: Number.parseInt(String(row?.['file']).slice(0, 8), 16),
  }
}

/** After an hour there are hundreds of thousands of rows. */
const READ_LIMIT_MS = 120_000

const read = (member: Member, sql: string): Promise<readonly Row[]> => query(member.server, sql, [], READ_LIMIT_MS)

export async function readFinalState(primary: Member): Promise<FinalState> {
  const rows = await read(primary, 'SELECT id FROM written')
  const transfers = await read(primary, 'SELECT id, debtor, creditor, amount FROM transfer')
  const accounts = await read(primary, 'SELECT id, balance FROM account')
  const lists = await read(primary, 'SELECT id, items FROM list')
  return {
    rows: new Set(rows.map((row) => Number(row['id']))),
    transfers: new Map(
      transfers.map((row) => [
        Number(row['id']),
        { from: Number(row['debtor']), to: Number(row['creditor']), amount: Number(row['amount']) },
      ]),
    ),
    balances: new Map(accounts.map((row) => [Number(row['id']), Number(row['balance'])])),
    lists: new Map(lists.map((row) => [Number(row['id']), (row['items'] as readonly unknown[]).map(Number)])),
  }
}

/** In one line, to compare what members hold. */
export async function fingerprint(member: Member): Promise<string> {
  const [row] = await read(
    member,
    `SELECT concat_ws(' ', (SELECT concat(count(*), ' ', sum(id)) FROM written),
       (SELECT concat(count(*), ' ', sum(id * amount)) FROM transfer), (SELECT sum(id * balance) FROM account),
       (SELECT md5(string_agg(items::text, ',' ORDER BY id)) FROM list)) AS sums`,
  )
  return String(row?.['sums'])
}
