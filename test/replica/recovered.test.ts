/** What a start makes of a store: the cases that no run of a cluster brings about by itself. */
import { describe, expect, it } from 'vitest'
import { decodeFormationState, type FoundingCertificate } from '../../src/formation/index.ts'
import { FORMATION_CELL } from '../../src/replica/durable.ts'
import { recoveredProgress, recoverFormation } from '../../src/replica/index.ts'
import { encodeCommand } from '../../src/replicated-config/index.ts'
import { fakeCrypto } from '../formation/fake-crypto.ts'
import { VirtualCluster } from './virtual-cluster.ts'

const { readClaim } = fakeCrypto
const empty = { cells: new Map<string, Uint8Array>(), entries: [], snapshot: undefined }

function certificateOf(cluster: VirtualCluster): FoundingCertificate {
  const cell = cluster.nodes.get('p1')!.disk.cells.get(FORMATION_CELL)!
  return decodeFormationState(cell, readClaim).certificate!
}

it('the latch beside the key outlives the log: who lost its disk never founds a second time', () => {
  const kept = certificateOf(VirtualCluster.formed({ size: 3, seed: 1 }))
  expect(recoverFormation(empty, readClaim, kept).certificate).toBe(kept)
  expect(recoverFormation(empty, readClaim, undefined).certificate).toBeUndefined()
})

it('the certificate in the log comes before the one beside the key', () => {
  const cluster = VirtualCluster.formed({ size: 3, seed: 1 })
  const own = certificateOf(cluster)
  const { disk } = cluster.nodes.get('p1')!
  expect(recoverFormation(disk, readClaim, { ...own, term: own.term + 1 }).certificate).toEqual(own)
})

it('a snapshot beyond the entries that are left is the end of the log', () => {
  const snapshot = { index: 7, term: 2, data: new Uint8Array() }
  const entries = [{ index: 5, term: 2, type: 0, data: new Uint8Array() }]
  expect(recoveredProgress({ ...empty, entries, snapshot })).toMatchObject({ lastIndex: 7, commitIndex: 7 })
  expect(recoveredProgress(empty)).toMatchObject({ lastIndex: 0, commitIndex: 0 })
})

describe('versions that a restarted node tells of', () => {
  let requests = 0

  /** Asks for a version whose reason is `reason`; done when `node` has applied it, where it can. */
  function set(cluster: VirtualCluster, node: string, reason: string): void {
    const requestId = (++requests).toString(16).padStart(32, '0')
    const data = encodeCommand({
      kind: 'config-set',
      requestId,
      author: 'p1',
      at: 0,
      reason,
      text: `{"n":${requests}}`
    })
    cluster.input(node, { type: 'request', request: { type: 'command', requestId, data } })
  }

  const current = (cluster: VirtualCluster, name: string): string | undefined =>
    cluster.nodes.get(name)?.life?.replica.status().config?.current.reason

  function commit(cluster: VirtualCluster, node: string, ...reasons: readonly string[]): void {
    for (const reason of reasons) {
      set(cluster, node, reason)
      cluster.runUntil(() => current(cluster, node) === reason)
    }
  }

  const leaderOf = (cluster: VirtualCluster): string | undefined =>
    cluster.names.find((name) => cluster.nodes.get(name)?.life?.replica.status().raft?.writable === true)

  /** As its events have it: reason, and whether that version was here before. */
  const told = (cluster: VirtualCluster, name: string): readonly string[] =>
    cluster
      .life(name)
      .events.flatMap((event) => (event.type === 'config' ? [`${event.reason} ${event.recovered ?? 'news'}`] : []))

  it('are news when they took the place of what it held and nobody had decided', () => {
    const cluster = VirtualCluster.formed({ size: 3, seed: 1 })
    cluster.runUntil(() => leaderOf(cluster) !== undefined)
    const lost = leaderOf(cluster)!
    const others = cluster.names.filter((name) => name !== lost)
    commit(cluster, lost, 'kept')
    for (const other of others) cluster.disconnect(lost, other)
    for (const reason of ['undecided 1', 'undecided 2', 'undecided 3', 'undecided 4']) set(cluster, lost, reason)
    cluster.run(20)
    cluster.crash(lost)
    cluster.runUntil(() => leaderOf(cluster) !== undefined)
    const leader = leaderOf(cluster)!
    commit(cluster, leader, 'decided 1', 'decided 2', 'decided 3')
    // Its log is as long as theirs: entry by entry only the term tells them apart.
    const held = cluster.nodes.get(lost)!.disk.entries
    expect(held.at(-1)!.index).toBe(cluster.nodes.get(leader)!.disk.entries.at(-1)!.index)
    cluster.start(lost)
    cluster.connectAll()
    cluster.runUntil(() => current(cluster, lost) === 'decided 3')
    expect(told(cluster, lost)).toEqual([
      'initial config older',
      'kept newest',
      'decided 1 news',
      'decided 2 news',
      'decided 3 news'
    ])
  })

  it('are no news when they come from its own snapshot', () => {
    const often = { entriesMax: 4, bytesMax: 2 ** 20, trailingEntriesMax: 1, trailingBytesMax: 1 }
    const cluster = VirtualCluster.formed({ size: 3, seed: 1, snapshots: often })
    cluster.runUntil(() => leaderOf(cluster) !== undefined)
    const leader = leaderOf(cluster)!
    commit(cluster, leader, 'a', 'b', 'c', 'd', 'e')
    cluster.run(100)
    const away = cluster.names.find((name) => name !== leader)!
    expect(cluster.nodes.get(away)!.disk.snapshot).toBeDefined()
    cluster.crash(away)
    commit(cluster, leader, 'missed')
    cluster.start(away)
    cluster.connectAll()
    cluster.runUntil(() => current(cluster, away) === 'missed')
    const [first, ...rest] = told(cluster, away)
    expect(first).toMatch(/^[a-e] newest$/)
    expect(rest.at(-1)).toBe('missed news')
  })
})
