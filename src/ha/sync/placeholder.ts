/** A standby that never exists: in strict mode commits wait for it rather than be acknowledged by the primary alone. */
export const STRICT_PLACEHOLDER = '__patroni_strict_sync_replica_placeholder__'
