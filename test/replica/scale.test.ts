/** A hundred machines at once: how many steps it takes to take them in, whom they look for, and who is told of whom. */
import { describe, expect, it } from 'vitest'
import { decodeCbor } from '../../src/core/cbor.ts'
import { fromUtf8, utf8 } from '../../src/core/bytes.ts'
import type { Admitted } from '../../src/membership/admission.ts'
import { TAKE_IN_EVERY_MS, TAKE_IN_MAX, VOTERS_BY_THEMSELVES_MAX } from '../../src/replica/newcomers.ts'
import { Sessions } from '../../src/replica/sessions.ts'
import { VirtualCluster, type VirtualToken } from './virtual-cluster.ts'

const TOKEN = 'ab'.repeat(16)
const tokenFor = (role: 'voter' | 'observer', uses: number): VirtualToken => ({ tokenId: TOKEN, role, uses })
const founders = ['p1', 'p2', 'p3']

function form(): VirtualCluster {
  const cluster = new VirtualCluster({ size: 3, seed: 1 })
  for (const name of cluster.names) cluster.start(name)
  cluster.connectAll()
  cluster.runUntil(() => cluster.names.every((name) => status(cluster, name).config !== undefined))
  return cluster
}

/** They start in one moment, and are connected to those that vote only. */
function arrive(cluster: VirtualCluster, names: readonly string[], token: VirtualToken): void {
  for (const name of names) {
    cluster.join(name, token)
    cluster.start(name)
    for (const founder of founders) cluster.connect(name, founder)
  }
}

const status = (cluster: VirtualCluster, name: string) => cluster.life(name).replica.status()
const leaderOf = (cluster: VirtualCluster): string =>
  cluster.names.find((name) => status(cluster, name).raft?.writable === true)!
const machines = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `q${String(i + 1).padStart(3, '0')}`)

describe('many newcomers at once', () => {
  it('are redeemed and taken in together: the log holds one or two lists of members, not one for each', () => {
    const cluster = form()
    const leader = leaderOf(cluster)
    const names = machines(40)
    arrive(cluster, names, tokenFor('observer', names.length))
    const before = cluster.now
    cluster.runUntil(() => status(cluster, leader).raft!.membership.learners.length === names.length, 2_500)
    cluster.runUntil(() => names.every((name) => status(cluster, name).standing.type === 'learner'), 2_500)
    expect(cluster.now - before).toBeLessThan(2_000)
    const entries = cluster.nodes.get(leader)!.disk.entries.map(({ data }) => data)
    const lists = entries.filter((data) => data.byteLength > 200)
    expect(lists.length).toBeLessThanOrEqual(2)
    // An entry for each redemption, as the promise about tokens asks for.
    const redeems = entries.filter((data) => isRedeem(data))
    expect(redeems).toHaveLength(names.length)
  })

  it('of whom there are more than one step takes redeem while others are taken in', () => {
    const cluster = form()
    const leader = leaderOf(cluster)
    const names = machines(200)
    arrive(cluster, names, tokenFor('observer', names.length))
    const learners = (): number => status(cluster, leader).raft!.membership.learners.length
    cluster.runUntil(() => learners() > 0, 2_500)
    const first = cluster.now
    // Whoever came first redeemed alone, while the others were still saying hello.
    expect(learners()).toBe(1)
    cluster.runUntil(() => learners() === 1 + TAKE_IN_MAX, 2_500)
    cluster.runUntil(() => learners() === names.length, 2_500)
    expect(cluster.now - first).toBeLessThan(2.5 * TAKE_IN_EVERY_MS)
  })

  it('with a token that is good for three of ten: three are in, and seven are shown the door', () => {
    const cluster = form()
    const leader = leaderOf(cluster)
    const names = machines(10)
    arrive(cluster, names, tokenFor('observer', 3))
    cluster.run(3_000)
    const used = cluster.life(leader).replica.redeemedBy(TOKEN)
    expect(used).toHaveLength(3)
    expect(status(cluster, leader).raft!.membership.learners).toHaveLength(3)
    const turnedAway = cluster.life(leader).events.filter(({ type }) => type === 'unwelcome')
    expect(turnedAway).toHaveLength(7)
  })

  it('with the token of a voter make no group of hundreds: beyond nine voters an operator promotes', () => {
    const cluster = form()
    const leader = leaderOf(cluster)
    const names = machines(10)
    arrive(cluster, names, tokenFor('voter', 10))
    cluster.connectAll()
    cluster.run(10_000)
    const { voters, learners } = status(cluster, leader).raft!.membership
    expect([voters.length, learners.length]).toEqual([VOTERS_BY_THEMSELVES_MAX, 13 - VOTERS_BY_THEMSELVES_MAX])
    const requestId = '0'.repeat(31) + '7'
    const operation = { op: 'promote', member: learners[0]!.split('#')[0]! } as const
    cluster.input(leader, { type: 'request', request: { type: 'members', requestId, operation } })
    cluster.runUntil(() => status(cluster, leader).raft!.membership.voters.length === 10, 5_000)
  })
})

function isRedeem(data: Uint8Array): boolean {
  try {
    const value = decodeCbor(data)
    return value instanceof Map && value.get(0) === 2
  } catch {
    return false
  }
}

describe('whom a node has to reach', () => {
  it('is who votes: no learner is dialled for ever', () => {
    const cluster = form()
    arrive(cluster, ['q1', 'q2'], tokenFor('observer', 2))
    expect(cluster.life('q1').replica.wanted()).toEqual([])
    cluster.runUntil(
      () => status(cluster, 'q2').standing.type === 'learner' && status(cluster, 'q1').config !== undefined
    )
    for (const name of ['q1', 'q2']) expect(cluster.life(name).replica.wanted()).toEqual(founders)
    expect(cluster.life('p1').replica.wanted()).toEqual(['p2', 'p3'])
  })

  it('a founder does not know before it has founded, and must look at everybody', () => {
    const cluster = new VirtualCluster({ size: 3, seed: 1 })
    cluster.start('p1')
    expect(cluster.life('p1').replica.wanted()).toBeUndefined()
  })
})

describe('introductions', () => {
  const peer = (peerId: string): Admitted =>
    ({ peerId, incarnation: `${peerId}#1`, addressRecord: utf8(`record ${peerId}`) }) as unknown as Admitted
  const isSought = ({ peerId }: Admitted): boolean => peerId.startsWith('v')

  function crowd(): Sessions {
    const sessions = new Sessions('self', () => undefined)
    for (let i = 0; i < 100; i++) sessions.open(peer(`a${String(i).padStart(3, '0')}`))
    for (let i = 0; i < 5; i++) sessions.open(peer(`v${i}`))
    return sessions
  }

  it('name those that vote first, however many others there are', () => {
    const sessions = crowd()
    const newcomer = peer('n1')
    sessions.open(newcomer)
    const said = sessions.introductions(newcomer, isSought)
    const shown = said.find(({ to }) => to === 'n1')!.records.map(fromUtf8)
    expect(shown.slice(0, 5)).toEqual(['record v0', 'record v1', 'record v2', 'record v3', 'record v4'])
    expect(shown.length).toBeLessThanOrEqual(16)
    const hearers = said.map(({ to }) => to).filter((to) => to !== 'n1')
    expect(hearers.slice(0, 5)).toEqual(['v0', 'v1', 'v2', 'v3', 'v4'])
    // Whom nobody seeks is not announced to everybody: a thousand that come would be a million frames.
    expect(hearers.length).toBeLessThanOrEqual(16)
  })

  it('announce a voter that moved to as many as one frame each allows', () => {
    const sessions = crowd()
    const said = sessions.introductions(peer('v0'), isSought)
    const hearers = said.map(({ to }) => to).filter((to) => to !== 'v0')
    expect(hearers).toHaveLength(32)
  })
})
