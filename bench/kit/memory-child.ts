/** Clusters of five in one process over libp2p's memory transport; says what each further one costs. For bench/resources.ts. */
import { join } from 'node:path'
import { memory } from '@libp2p/memory'
import { createNode } from 'quorate'
import { mintTokens } from './tokens.ts'

export interface MemoryReport {
  readonly nodes: number
  readonly heapBytes: number
  readonly residentBytes: number
}

const SIZE = 5
const CLUSTERS = 4
const path = process.argv[2]!
const reports: MemoryReport[] = []

for (let cluster = 0; cluster <= CLUSTERS; cluster++) {
  if (cluster > 0) await addCluster(cluster)
  globalThis.gc!()
  const { heapUsed, external, rss } = process.memoryUsage()
  reports.push({ nodes: cluster * SIZE, heapBytes: heapUsed + external, residentBytes: rss })
}
process.send!(reports)

async function addCluster(cluster: number): Promise<void> {
  const tokens = await mintTokens(SIZE)
  const seeds = tokens.map((_, i) => `/memory/bench-${cluster}-${i}`)
  const nodes = await Promise.all(
    tokens.map((token, i) =>
      createNode({
        token,
        dataDir: join(path, `c${cluster}-n${i}`),
        listen: [seeds[i]!],
        transports: [memory()],
        discovery: { mdns: false, seeds }
      })
    )
  )
  await Promise.all(nodes.map((node) => node.ready()))
}
