/** The ways to lose a leader that benchmarks know. */

/**
 * `kill`: SIGKILL. `pause`: SIGSTOP, whose connections stay open. `drop`: a switch that loses every packet from and to the
 * leader, in network namespaces. `stop`: SIGTERM, which hands over. `call`: a program that embeds the leader calls its `transfer`.
 * `transfer`: asked for through the control socket, whose HTTP request is part of the time.
 */
export type Loss = 'kill' | 'pause' | 'drop' | 'stop' | 'call' | 'transfer'

export const LOSSES: readonly Loss[] = ['kill', 'pause', 'drop', 'stop', 'call', 'transfer']

export const LOSS_NAMES: Readonly<Record<Loss, string>> = {
  kill: 'SIGKILL',
  pause: 'SIGSTOP',
  drop: 'packets dropped',
  stop: 'SIGTERM, which hands over',
  call: 'transfer, called in its process',
  transfer: 'transfer, by control socket'
}
