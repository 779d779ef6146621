/** How many disks are known to have held founding credentials: the number that the first guarantee is about. */
import { describe, expect, it } from 'vitest'
import { encodeCbor } from '../../src/core/cbor.ts'
import { decodeMet, FoundersMet, MET_CELL, MET_KEPT_AFTER_MS } from '../../src/replica/founders-met.ts'
import { makeClaim } from '../formation/fake-crypto.ts'
import { VirtualCluster } from './virtual-cluster.ts'

const count = (cluster: VirtualCluster, name: string): number =>
  cluster.life(name).replica.status().foundingIncarnations

function start(cluster: VirtualCluster, ...names: string[]): void {
  for (const name of names) cluster.start(name)
  cluster.connectAll()
}

const isFounded = (cluster: VirtualCluster): boolean =>
  cluster.names.every((name) => cluster.nodes.get(name)?.life?.replica.status().clusterId !== undefined)

describe('founders that were met', () => {
  it('are counted after a restart too, though they were gone before there was a cluster', () => {
    const cluster = new VirtualCluster({ size: 3, seed: 1 })
    start(cluster, 'p1', 'p3')
    cluster.run(MET_KEPT_AFTER_MS + 50)
    expect(count(cluster, 'p1')).toBe(2)
    cluster.wipe('p3')
    start(cluster, 'p2', 'p3')
    cluster.runUntil(() => isFounded(cluster))
    expect(['p1', 'p2', 'p3'].map((name) => count(cluster, name))).toEqual([4, 3, 3])
    for (const name of cluster.names) cluster.crash(name)
    start(cluster, 'p1')
    expect(count(cluster, 'p1')).toBe(4)
  })

  it('are the same number for a founder, one that was started again, and whoever joins later, once a lost disk came back', () => {
    const cluster = VirtualCluster.formed({ size: 3, seed: 2 })
    cluster.wipe('p2')
    start(cluster, 'p2')
    const isMember = (): boolean => cluster.life('p2').replica.status().standing.type === 'learner'
    cluster.runUntil(isMember)
    cluster.join('p4', { tokenId: 'a'.repeat(32), role: 'observer', uses: 1 })
    start(cluster, 'p4')
    cluster.runUntil(() => cluster.life('p4').replica.status().standing.type === 'learner')
    cluster.crash('p2')
    cluster.crash('p3')
    start(cluster, 'p3')
    cluster.run(2_000)
    expect(['p1', 'p3', 'p4'].map((name) => count(cluster, name))).toEqual([4, 4, 4])
  })

  it('cost no write when founding goes as it should', () => {
    const cluster = VirtualCluster.formed({ size: 3, seed: 3 })
    cluster.run(5 * MET_KEPT_AFTER_MS)
    for (const name of cluster.names) {
      expect(cluster.nodes.get(name)!.disk.cells.has(MET_CELL)).toBe(false)
      expect(count(cluster, name)).toBe(3)
    }
  })

  it('are bounded, and a cell that is none of ours is an error', () => {
    const met = new FoundersMet(['a'])
    for (let i = 0; i < 2_000; i++) met.meet(makeClaim(`n${i}`, (i % 3) + 1), 0)
    expect(met.names.size).toBe(1_024)
    expect(met.toKeep(MET_KEPT_AFTER_MS - 1, new Set())).toBeUndefined()
    const kept = decodeMet(met.toKeep(MET_KEPT_AFTER_MS, new Set(['a'])))
    expect(kept).toHaveLength(1_023)
    expect(decodeMet(undefined)).toEqual([])
    for (const bytes of [encodeCbor('x'), encodeCbor([1]), new Uint8Array([0xff])]) {
      expect(() => decodeMet(bytes)).toThrow('the stored memory of founders cannot be read')
    }
  })

  it('are not written again as they are, nor because the certificate names them by now', () => {
    const met = new FoundersMet(['n2#1', 'n1#1'])
    expect(met.toKeep(1_000_000, new Set(['n1#1']))).toBeUndefined()
    met.meet(makeClaim('n3', 3), 0)
    expect(met.toKeep(MET_KEPT_AFTER_MS, new Set(['n3#1']))).toBeUndefined()
    expect(met.deadline).toBeUndefined()
  })

  it('are found by every later version in the same cell, which holds so many names and no more', () => {
    const names = (length: number): string[] => Array.from({ length }, (_, i) => `n${i}`)
    expect(MET_CELL).toBe('founders-met')
    expect(decodeMet(encodeCbor(names(1_024)))).toHaveLength(1_024)
    for (const value of [names(1_025), ['a', 1]]) {
      expect(() => decodeMet(encodeCbor(value))).toThrow('the stored memory of founders cannot be read')
    }
    const cause = expect.objectContaining({ name: 'CborError' }) as unknown
    expect(() => decodeMet(new Uint8Array([0xff]))).toThrow(expect.objectContaining({ cause }))
  })

  it('contest no seat where there are none, and of those that contest one a few are named, seat by seat', () => {
    const met = new FoundersMet([])
    for (const peerId of ['a', 'b', 'c', 'd', 'e']) for (const seat of [3, 0, 1]) met.meet(makeClaim(peerId, seat), 0)
    const peerIds = ['a', 'b', 'c', 'd']
    expect(met.contested()).toEqual([
      { seat: 1, peerIds },
      { seat: 3, peerIds }
    ])
  })

  it('who contest a seat are told of by those who stay', () => {
    const met = new FoundersMet([])
    met.meet(makeClaim('a', 2), 0)
    met.meet(makeClaim('a', 2, 2), 0)
    expect(met.contested()).toEqual([])
    met.meet(makeClaim('b', 2), 0)
    met.meet(makeClaim('c', 1), 0)
    expect(met.contested()).toEqual([{ seat: 2, peerIds: ['a', 'b'] }])
  })
})
