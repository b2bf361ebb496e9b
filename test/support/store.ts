import { STORE_KINDS, type StoreKind } from '../../lab/store.ts'

/** The store that acceptance tests run on: `MATRIARCH_TEST_DCS=raft`, else etcd. */
export function testStore(): StoreKind {
  const wanted = process.env['MATRIARCH_TEST_DCS'] ?? 'etcd3'
  const kind = STORE_KINDS.find((one) => one === wanted)
  if (!kind) throw new Error(`MATRIARCH_TEST_DCS=${wanted}: not one of ${STORE_KINDS.join(', ')}`)
  return kind
}
