/**
 * A test of your own program against a real cluster in one process: real nodes, keys and logs, over libp2p's memory transport.
 * Written for Node's own test runner; vitest and others read the same.
 *
 *     node --test examples/local-cluster.ts
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLocalCluster } from 'quorate/testing'

void test('a limit that was raised survives the loss of the leader', async () => {
  await using cluster = await createLocalCluster({ nodes: 5, config: { limit: 1 } })
  await cluster.ready()

  await cluster.nodes[3]!.config.set({ limit: 2 }, { reason: 'raise limit' })
  await cluster.crash(await cluster.leader())

  const next = await cluster.leader()
  assert.deepEqual((await next.config.read()).value, { limit: 2 })
})

void test('two of five that are cut off change nothing', async () => {
  await using cluster = await createLocalCluster({ nodes: 5, config: { limit: 1 } })
  await cluster.ready()

  cluster.partition([
    [0, 1],
    [2, 3, 4]
  ])
  const leader = await cluster.leader()
  assert.ok(cluster.nodes.indexOf(leader) >= 2)
  await leader.config.set({ limit: 2 }, {})

  const asked = cluster.nodes[0]!.config.set({ limit: 9 }, { signal: AbortSignal.timeout(300) })
  await assert.rejects(asked, { code: 'ERR_NO_QUORUM' })

  cluster.repair()
  const { value } = await cluster.agreed({ version: 2 })
  assert.deepEqual(value, { limit: 2 })
})
