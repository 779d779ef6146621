/** Makes the documents of a cluster, a home for its nodes, and the nodes. */
import { systemClock } from '../core/clock.ts'
import { generateLocalKey } from '../identity/signer.ts'
import { createGenesis } from '../node/create-genesis.ts'
import { Cluster } from './cluster.ts'
import { checkOptions, homeFor } from './options.ts'
import type { LocalCluster, LocalClusterInit } from './types.ts'

/**
 * A cluster in this process, over libp2p's memory transport. Resolves when every node listens; `ready()` when it serves.
 * Errors:
 * InvalidOptionError, InvalidSchemaError, InvalidConfigError.
 */
export async function createLocalCluster(init: LocalClusterInit = {}): Promise<LocalCluster> {
  checkOptions(init)
  const { nodes = 3, config, schema, timing = 'lan', priorities = [], delayMs = 0, snapshots, logger } = init
  const issuer = generateLocalKey().signer
  const genesis = await createGenesis(
    {
      name: 'local',
      foundingSize: nodes,
      timing,
      createdAtMs: systemClock.wallNow(),
      ...(config === undefined ? {} : { config }),
      ...(schema === undefined ? {} : { schema })
    },
    [issuer]
  )
  const home = await homeFor(init.dataDir)
  const cluster = new Cluster({ genesis, issuer, priorities, delayMs, snapshots, logger, ...home })
  try {
    await cluster.found(nodes)
    return cluster
  } catch (error) {
    // Why it cannot be founded is news; that something of it cannot be closed either is none.
    await cluster.close().catch(() => {})
    throw error
  }
}
