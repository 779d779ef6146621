/** One session for each peer; and what members tell of where others are, verified no more often than its bringer may make us. */
import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../src/core/bytes.ts'
import { PRIORITY_DEFAULT } from '../../src/core/priority.ts'
import type { Admitted } from '../../src/membership/admission.ts'
import { PEER_RECORDS_MAX } from '../../src/replica/frame-kinds.ts'
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
  const meet = (peerId: string, sequence: number): void =>
    sessions.open({
      peerId,
      addressRecord: utf8(`${peerId} ${sequence}`),
      addresses: { peerId, sequence, addresses: [peerId] }
    } as unknown as Admitted)
  return { hear, meet, verified: () => verified }
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

  it('that their subject has shown in person are not verified again, and are news as any other', () => {
    const { hear, meet, verified } = bench()
    meet('b', 1)
    expect(hear('a', 0, 'b 1')).toEqual(['b'])
    expect(hear('c', 0, 'b 1')).toEqual([])
    expect(verified()).toBe(0)
    // Another one of the same peer is.
    expect(hear('a', 0, 'b 2')).toEqual(['b'])
    expect(hear('a', 0, 'b 3 forged')).toEqual([])
    expect(verified()).toBe(2)
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

describe('who has a session', () => {
  const peer = (peerId: string, more: Partial<Admitted> = {}): Admitted =>
    ({ peerId, incarnation: `${peerId}#1`, priority: 7, addressRecord: utf8(peerId), ...more }) as unknown as Admitted
  const of = (...peers: readonly Admitted[]): Sessions => {
    const sessions = new Sessions('self', () => undefined)
    for (const one of peers) sessions.open(one)
    return sessions
  }
  const told = (sessions: Sessions, newcomer: Admitted, isSought: (one: Admitted) => boolean) =>
    sessions
      .introductions(newcomer, isSought)
      .map(({ to, records }) => [to, records.map((one) => fromUtf8(one)).join()])

  it('is listed by PeerId, whoever came first, and answers for its priority; others have the default', () => {
    const sessions = of(peer('c'), peer('a'), peer('b'))
    expect(sessions.list().map(({ peerId }) => peerId)).toEqual(['a', 'b', 'c'])
    sessions.close(peer('b'))
    expect(sessions.list().map(({ peerId }) => peerId)).toEqual(['a', 'c'])
    expect([...sessions.priorities(['x#1', 'c#1', 'a#1'])]).toEqual([
      ['a#1', 7],
      ['c#1', 7],
      ['x#1', PRIORITY_DEFAULT]
    ])
  })

  it('is introduced with others, those first whom everybody needs, and a handful of the rest', () => {
    const rest = Array.from({ length: 6 }, (_, i) => peer(`r${i}`))
    const sessions = of(peer('v1'), peer('v2'), ...rest)
    const isSought = ({ peerId }: Admitted): boolean => peerId.startsWith('v')
    expect(told(sessions, peer('new'), isSought)).toEqual([
      ['new', 'v1,v2,r0,r1,r2,r3'],
      ...['v1', 'v2', 'r0', 'r1', 'r2', 'r3'].map((to) => [to, 'new'])
    ])
    expect(told(sessions, peer('v3'), isSought).slice(1)).toHaveLength(8)
  })

  it('without a record of its addresses is introduced to nobody; where nobody has one, nothing is shown', () => {
    const isSought = (): boolean => true
    const silent = { addressRecord: undefined }
    expect(told(of(peer('a')), peer('new', silent), isSought)).toEqual([['new', 'a']])
    expect(told(of(peer('a', silent)), peer('new'), isSought)).toEqual([['a', 'new']])
  })

  it('is shown as many as one frame holds', () => {
    const many = Array.from({ length: 40 }, (_, i) => peer(`p${i}`))
    const [first, ...others] = of(...many).introductions(peer('new'), () => true)
    expect([first!.records.length, others.length]).toEqual([PEER_RECORDS_MAX, PEER_RECORDS_MAX])
  })
})
