/**
 * For the tests of your own program: a whole cluster in one process, in real time.
 *
 * Every node is what `createNode` makes: real keys, tokens and signatures, Noise, Yamux and admission, a real log with real
 * syncs in a directory of its own. Only the cables are missing: nodes meet over libp2p's memory transport, and what they say
 * to each other passes a switchboard (`network.ts`) that can cut, delay and mend.
 *
 * Real time has no seed: two runs differ, as on machines. To repeat a run, to let disks and clocks fail, or to run a thousand
 * clusters in a minute there is `quorate/simulation`.
 *
 * Left out: mDNS, sockets, power cuts (a crash keeps what was written, as the kernel does).
 */
export { NODE_OLDEST } from '../core/node-version.ts'
export { createLocalCluster } from './local-cluster.ts'
export type { LocalCluster, LocalClusterInit, NodeRef, WaitOptions } from './types.ts'
export { LocalClusterTimeoutError } from './errors.ts'
