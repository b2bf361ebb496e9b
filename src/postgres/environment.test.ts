import assert from 'node:assert/strict'
import { test } from 'node:test'
import { childEnvironment, serverEnvironment } from './environment.ts'

const OWN = {
  PATH: '/bin',
  PATRONI_SUPERUSER_PASSWORD: 'secret',
  KUBERNETES_SERVICE_HOST: '10.0.0.1',
  NOTIFY_SOCKET: '/run/notify',
  PG_MALLOC_ARENA_MAX: '2',
}

test('9.1 children of the agent never see the variables that configure it', () => {
  assert.deepEqual(childEnvironment(OWN, { PGPASSFILE: '/p' }), {
    PATH: '/bin',
    KUBERNETES_SERVICE_HOST: '10.0.0.1',
    NOTIFY_SOCKET: '/run/notify',
    PG_MALLOC_ARENA_MAX: '2',
    PGPASSFILE: '/p',
  })
})

test('1.5 the server sees neither the agent, nor Kubernetes, nor the socket of systemd, and gets its own malloc setting', () => {
  assert.deepEqual(serverEnvironment(OWN), { PATH: '/bin', MALLOC_ARENA_MAX: '2' })
})
