/** The founding certificate is the first vote: who leads first, what is on whose disk, and what a restart makes of it. */
import { describe, expect, it } from 'vitest'
import { decodeFormationState, initialFormationState } from '../../src/formation/index.ts'
import { decodeHardState, FORMATION_CELL, VOTE_CELL } from '../../src/replica/durable.ts'
import { firstVote } from '../../src/replica/first-vote.ts'
import type { ReplicaInit } from '../../src/replica/index.ts'
import { fakeCrypto, makeClaim } from '../formation/fake-crypto.ts'
import { VirtualCluster } from './virtual-cluster.ts'

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1)

const statusOf = (cluster: VirtualCluster, name: string) => cluster.life(name).replica.status()

function voteOf(cluster: VirtualCluster, name: string): ReturnType<typeof decodeHardState> {
  return decodeHardState(cluster.nodes.get(name)!.disk.cells.get(VOTE_CELL))
}

function isLatched(cluster: VirtualCluster, name: string): boolean {
  const cell = cluster.nodes.get(name)!.disk.cells.get(FORMATION_CELL)
  return cell !== undefined && decodeFormationState(cell, fakeCrypto.readClaim).certificate !== undefined
}

function starting(size: number, seed: number): VirtualCluster {
  const cluster = new VirtualCluster({ size, seed })
  for (const name of cluster.names) cluster.start(name)
  cluster.connectAll()
  return cluster
}

describe('the first vote', () => {
  const claims = [1, 2, 3].map((seat) => makeClaim(`p${seat}`, seat))
  const certificate = { term: 4, set: { claims }, acceptances: [] }
  const fresh = {
    self: claims[1]!,
    hardState: { term: 0, votedFor: undefined },
    entries: [],
    formationState: initialFormationState
  } as unknown as ReplicaInit
  const entry = { index: 1, term: 1, type: 'noop', data: new Uint8Array() } as const

  it('is for the first of the set, whoever casts it, and opens only in the life that latched', () => {
    const hardState = { term: 1, votedFor: claims[0]!.incarnation }
    expect(firstVote(fresh, certificate)).toEqual({ hardState, justFounded: true })
    const restarted = { ...fresh, formationState: { ...initialFormationState, certificate } }
    expect(firstVote(restarted, certificate)).toEqual({ hardState, justFounded: false })
  })

  it.each<[string, Partial<ReplicaInit>]>([
    ['whoever is no founder', { self: makeClaim('p2', 2, 2) }],
    ['whoever has a term', { hardState: { term: 1, votedFor: 'p1#1' } }],
    ['whoever has a log', { entries: [entry] }],
    ['whoever has a snapshot', { snapshot: { index: 1, term: 1, data: new Uint8Array() } }]
  ])('is not given to %s', (_, held) => {
    expect(firstVote({ ...fresh, ...held }, certificate)).toBeUndefined()
  })
})

describe('a cluster that was just founded', () => {
  it.each([1, 3, 5])('of %i begins without an election: the first seat leads term 1', (size) => {
    const cluster = starting(size, 3)
    cluster.runUntil(() => cluster.names.every((name) => statusOf(cluster, name).config !== undefined))
    for (const name of cluster.names) {
      expect(statusOf(cluster, name).raft).toMatchObject({ term: 1, leader: 'p1#1' })
      expect(voteOf(cluster, name)).toEqual({ term: 1, votedFor: 'p1#1' })
      const roles = cluster.life(name).events.flatMap((event) => (event.type === 'role' ? [event.role] : []))
      expect(roles).toEqual(name === 'p1' ? ['leader'] : [])
    }
  })

  it('has no disk that holds the certificate and not the vote, at any moment (20 seeds)', () => {
    for (const seed of SEEDS) {
      const cluster = starting(3, seed)
      cluster.runUntil(() => {
        for (const name of cluster.names) if (isLatched(cluster, name)) expect(voteOf(cluster, name).term).toBe(1)
        return cluster.names.every((name) => statusOf(cluster, name).config !== undefined)
      })
    }
  })

  it('goes on in term 2 when the one who was to lead dies as soon as it is founded, and takes it back (20 seeds)', () => {
    for (const seed of SEEDS) {
      const cluster = starting(3, seed)
      cluster.runUntil(() => isLatched(cluster, 'p1'))
      cluster.crash('p1')
      const survivors = ['p2', 'p3']
      // Whoever has heard of the certificate tells the other; if nobody has, founding waits for p1.
      cluster.run(2_000)
      cluster.start('p1')
      cluster.connectAll()
      cluster.runUntil(() => cluster.names.every((name) => statusOf(cluster, name).config !== undefined), 10_000)
      const lives = cluster.life('p1').events
      expect(lives.some((event) => event.type === 'role' && event.role === 'leader' && event.term === 1)).toBe(false)
      for (const name of survivors) expect(statusOf(cluster, name).raft!.term).toBeGreaterThan(1)
    }
  })
})
