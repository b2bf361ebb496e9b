/** One `ioctl` with a pointer to `argument`, which the kernel may read and fill. @throws with the name of the error */
export type Ioctl = (descriptor: number, request: number, argument: Buffer) => void

/**
 * The system call itself. Node has none for it; koffi, an optional dependency, reaches it.
 * @returns `null` where koffi is not installed or does not know this machine
 */
export async function systemIoctl(): Promise<Ioctl | null> {
  try {
    const { default: koffi } = await import('koffi')
    const call: (descriptor: number, request: number, argument: Buffer) => number = koffi
      .load(null)
      .func('int ioctl(int, unsigned long, _Inout_ uint8_t *)')
    const names = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]))
    return (descriptor, request, argument) => {
      if (call(descriptor, request, argument) < 0) {
        const error = koffi.errno()
        throw new Error(`ioctl 0x${request.toString(16)}: ${names.get(error) ?? `error ${error}`}`)
      }
    }
  } catch {
    return null
  }
}
