/** What bench/compare.ts does with every system but our own. */
export interface Peer {
  /** Starts all members on empty disks: from the start of the first process until a write was accepted by anyone, ms. */
  startAll(): Promise<number>
  /**
   * From SIGKILL of the leader until a write was accepted by anyone, ms. All members are back when this resolves. Where it has
   * clients that stay, each survivor's has written `writesBefore` times when the leader falls.
   */
  killLeader(writesBefore: number): Promise<number>
  close(): Promise<void>
}

export interface PeerSystem {
  /** With its version and settings, as tables name it. */
  readonly name: string
  /** Why it does not run here. */
  readonly unavailable: string | undefined
  readonly create: (size: number) => Peer
}
