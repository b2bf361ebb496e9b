import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'

const ITERATIONS = 4096

/**
 * What PostgreSQL (10+) stores for a password with password_encryption = scram-sha-256: given this, it stores it as it
 * is, and the password itself is in no statement that something might log.
 * @returns `null` for a password that would have to be normalized first (RFC 4013); PostgreSQL does that itself
 */
export function scramSecret(password: string, salt: Buffer = randomBytes(16)): string | null {
  if (!/^[\x20-\x7e]+$/.test(password)) return null
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256')
  const hmac = (text: string): Buffer => createHmac('sha256', salted).update(text).digest()
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64')
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${hmac('Server Key').toString('base64')}`
}
