/** One session for each peer; and what members tell of where others are, verified no more often than its bringer may make us. */
import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../src/core/bytes.ts'
import { RECORD_CHECKS_AT_ONCE, RECORD_CHECKS_PER_SECOND, Sessions } from '../../src/replica/sessions.ts'
import { VirtualCluster } from './virtual-cluster.ts'

function bench() {
  let verified = 0
  const sessions = new Sessions('self', (bytes, isNews) => {
    const [peerId = '', sequence, isForged] = fromUtf8(bytes).split(' ')
    if (!isNews(peerId, Number(sequence))) return undefined
    verified++
    return isForged === undefined ? { peerId, sequence: Number(sequence), addresses: [peerId] } : undefined
  })
  const hear = (from: string, now: number, ...records: readonly string[]): readonly string[] =>
    sessions.news(from, records.map(utf8), now).map(({ peerId }) => peerId)
  return { hear, verified: () => verified }
}

const forged = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `x${i} 1 forged`)

describe('records of addresses', () => {
  it('are news once, and again when they are newer; of ourselves they are none', () => {
    const { hear, verified } = bench()
    expect(hear('a', 0, 'b 1', 'c 0', 'self 9')).toEqual(['b', 'c'])
    expect(hear('d', 0, 'b 1', 'b 0', 'c 1')).toEqual(['c'])
    expect(verified()).toBe(3)
  })

  it('of one bringer are verified so often and no oftener, and those of others meanwhile', () => {
    const { hear, verified } = bench()
    hear('a', 0, ...forged(1_000))
    expect(verified()).toBe(RECORD_CHECKS_AT_ONCE)
    hear('a', 1_000, ...forged(1_000))
    expect(verified()).toBe(RECORD_CHECKS_AT_ONCE + RECORD_CHECKS_PER_SECOND)
    expect(hear('b', 1_000, 'c 1')).toEqual(['c'])
    expect(hear('a', 1_000, 'd 1')).toEqual([])
  })

  it('that are known already cost their bringer nothing', () => {
    const { hear } = bench()
    hear('b', 0, 'c 1')
    for (let i = 0; i < 2 * RECORD_CHECKS_AT_ONCE; i++) expect(hear('a', 0, 'c 1')).toEqual([])
    expect(hear('a', 0, 'd 1')).toEqual(['d'])
  })

  it('are remembered of a bounded number of peers: beyond it the oldest is news again', () => {
    const { hear } = bench()
    for (let i = 0; i < 1_024; i++) expect(hear(`from ${i}`, 0, `p${i} 1`)).toHaveLength(1)
    // Heard again, so p1 is the oldest now.
    expect(hear('a', 0, 'p0 2', 'one-more 1')).toEqual(['p0', 'one-more'])
    expect(hear('a', 0, 'p0 2', 'p2 1', 'p1 1')).toEqual(['p1'])
  })
})

it('a session that opens beside another of the same peer ends it: its incarnation is connected no more', () => {
  const cluster = VirtualCluster.formed({ size: 3, seed: 1 })
  const isLeader = (name: string): boolean => cluster.life(name).replica.consensus()?.writable === true
  cluster.runUntil(() => cluster.names.some(isLeader))
  const leader = cluster.names.find(isLeader)!
  const { replica } = cluster.life(leader)
  const [old] = replica.sessions
  const active = (): readonly boolean[] =>
    replica.status().raft!.progress.flatMap(({ id, active: isActive }) => (id === old!.incarnation ? [isActive] : []))
  expect(active()).toEqual([true])
  const reborn = { ...old!, incarnation: `${old!.peerId}#2`, storeId: '2', claim: undefined }
  cluster.input(leader, { type: 'session-open', peer: reborn })
  expect(replica.sessions.filter(({ peerId }) => peerId === old!.peerId)).toEqual([reborn])
  expect(active()).toEqual([false])
})
