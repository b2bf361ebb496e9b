import { spawn } from 'node:child_process'

/**
 * Tells systemd how far the agent is (sd_notify), where it asked to be told. Node has no datagram Unix sockets, so
 * systemd's own tool carries the message; NotifyAccess=all is needed for that.
 */
export function notifier(socket: string | undefined): (state: string) => void {
  if (!socket) return () => {}
  return (state) => {
    const child = spawn('systemd-notify', [state], {
      env: { NOTIFY_SOCKET: socket, PATH: process.env['PATH'] ?? '' },
      stdio: 'ignore',
    })
    child.on('error', () => {})
    child.unref()
  }
}
