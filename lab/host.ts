/** A machine of the lab: this one, or a network namespace of it that plays one. */
export interface Host {
  readonly address: string
  /** Name of the network namespace, as in `ip netns`; `null`: that of the lab itself. */
  readonly namespace: string | null
}

export const THIS_HOST: Host = { address: '127.0.0.1', namespace: null }
