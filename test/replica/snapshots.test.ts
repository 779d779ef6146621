/** Snapshots in a whole cluster, in virtual time: logs are cut, who was away gets the state, and nobody can tell how anybody came by it. */
import { describe, expect, it } from 'vitest'
import { fromHex } from '../../src/core/bytes.ts'
import {
  type ClientOutcome,
  type ClientRequest,
  resolveSnapshots,
  type SnapshotPolicy
} from '../../src/replica/index.ts'
import { RequestDesk } from '../../src/replica/requests.ts'
import { ASK_AGAIN_MS } from '../../src/replica/snapshot-sender.ts'
import { encodeCommand } from '../../src/replicated-config/index.ts'
import { VirtualCluster } from './virtual-cluster.ts'

const OFTEN: SnapshotPolicy = { entriesMax: 12, bytesMax: 2 ** 30, trailingEntriesMax: 4, trailingBytesMax: 2 ** 20 }

const id = (n: number): string => n.toString(16).padStart(32, '0')

const command = (n: number, filler = '', author = 'p1') => {
  const requestId = id(n)
  const text = `{"limit":${n},"x":"${filler}"}`
  const data = encodeCommand({ kind: 'config-set', requestId, author, at: 0, reason: '', text })
  return { type: 'command', requestId, data } as const
}

const statusOf = (cluster: VirtualCluster, name: string) => cluster.life(name).replica.status()
const raftOf = (cluster: VirtualCluster, name: string) => statusOf(cluster, name).raft!
const isUp = (cluster: VirtualCluster, name: string): boolean => cluster.nodes.get(name)?.life !== undefined
const up = (cluster: VirtualCluster): readonly string[] => cluster.names.filter((name) => isUp(cluster, name))
const leaderOf = (cluster: VirtualCluster): string => up(cluster).find((name) => raftOf(cluster, name).writable)!

function form(options: Partial<ConstructorParameters<typeof VirtualCluster>[0]> = {}): VirtualCluster {
  const cluster = new VirtualCluster({ size: 3, seed: 1, snapshots: OFTEN, ...options })
  for (const name of cluster.names) cluster.start(name)
  cluster.connectAll()
  cluster.runUntil(() => cluster.names.every((name) => statusOf(cluster, name).config !== undefined))
  return cluster
}

let last = 0

/** Sets the config so many times, through the leader. */
function write(cluster: VirtualCluster, count: number, filler = ''): void {
  for (let i = 0; i < count; i++) {
    const leader = leaderOf(cluster)
    const request = command(++last, filler)
    const { outcomes } = cluster.life(leader)
    cluster.input(leader, { type: 'request', request })
    cluster.runUntil(() => outcomes.some(({ requestId }) => requestId === request.requestId))
  }
}

function restart(cluster: VirtualCluster, name: string): void {
  cluster.start(name)
  cluster.connectAll()
}

const settled = (cluster: VirtualCluster): boolean => {
  const commit = raftOf(cluster, leaderOf(cluster) ?? up(cluster)[0]!).commitIndex
  const versions = new Set(up(cluster).map((name) => statusOf(cluster, name).config?.current.hash))
  return versions.size === 1 && up(cluster).every((name) => raftOf(cluster, name).commitIndex === commit)
}

/** All that a node shows of the replicated state. */
function stateOf(cluster: VirtualCluster, name: string): unknown {
  const { config, raft } = statusOf(cluster, name)
  return {
    config: { ...config, older: [...config!.older], answered: [...config!.answered] },
    membership: raft!.membership,
    membershipIndex: raft!.membershipIndex,
    redeemed: cluster.life(name).replica.redeemedBy(id(7))
  }
}

const actions = (cluster: VirtualCluster, name: string): readonly string[] =>
  cluster.life(name).events.flatMap((event) => (event.type === 'snapshot' ? [event.action] : []))

describe('a cluster whose logs are cut', () => {
  it('brings a follower that was away back by a snapshot, and goes on with it', () => {
    const cluster = form()
    const away = cluster.names.find((name) => name !== leaderOf(cluster))!
    write(cluster, 5)
    cluster.crash(away)
    write(cluster, 60)
    const leader = leaderOf(cluster)
    expect(raftOf(cluster, leader).firstIndex).toBeGreaterThan(40)
    restart(cluster, away)
    cluster.runUntil(() => settled(cluster))
    expect(actions(cluster, away)).toContain('restored')
    expect(stateOf(cluster, away)).toEqual(stateOf(cluster, leader))
    write(cluster, 30)
    cluster.runUntil(() => settled(cluster))
    expect(actions(cluster, away)).toContain('taken')
    // With its vote, too.
    cluster.crash(leader)
    cluster.runUntil(() => leaderOf(cluster) !== undefined)
    write(cluster, 3)
  })

  it('is the same after every kind of restart: from a snapshot, from a whole log, from somebody else’s (20 seeds)', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const cluster = form({ seed, loss: seed % 3 === 0 ? 0.03 : 0, snapshotsOf: { p2: { entriesMax: 1e9 } } })
      for (let round = 0; round < 4; round++) {
        const name = cluster.names[(seed + round) % 3]!
        cluster.crash(name)
        cluster.runUntil(() => leaderOf(cluster) !== undefined)
        write(cluster, 4 + ((seed * 7 + round * 11) % 30))
        restart(cluster, name)
        cluster.runUntil(() => leaderOf(cluster) !== undefined && settled(cluster))
      }
      for (const name of cluster.names) cluster.crash(name)
      for (const name of cluster.names) cluster.start(name)
      cluster.connectAll()
      cluster.runUntil(() => leaderOf(cluster) !== undefined && settled(cluster))
      const [first, ...others] = cluster.names.map((name) => stateOf(cluster, name))
      for (const other of others) expect(other, `seed ${seed}`).toEqual(first)
      // One of them never cut its log: it has replayed all of it.
      expect(raftOf(cluster, 'p2').firstIndex === 1 || actions(cluster, 'p2').length === 0).toBe(true)
    }
  })

  it('goes on with a large snapshot where a lost connection broke it off', () => {
    const cluster = form()
    const away = cluster.names.find((name) => name !== leaderOf(cluster))!
    cluster.crash(away)
    write(cluster, 30, 'x'.repeat(40_000))
    restart(cluster, away)
    const leader = leaderOf(cluster)
    // Of 1.2 MB not half comes through at a time: to begin anew would never end.
    let breaks = 0
    while (!actions(cluster, away).includes('restored') && breaks < 20) {
      const { bulkBytes } = cluster
      cluster.run(8)
      expect(cluster.bulkBytes - bulkBytes).toBeLessThan(900_000)
      cluster.disconnect(leader, away)
      cluster.run(3)
      cluster.connect(leader, away)
      breaks++
    }
    expect(breaks).toBeGreaterThan(2)
    cluster.runUntil(() => settled(cluster))
    expect(stateOf(cluster, away)).toEqual(stateOf(cluster, leader))
  })

  it('asks at once in the next session what the last one left open, and does not wait for an answer to the question before', () => {
    // In order, as bytes of one connection come.
    const cluster = form({ jitterMs: 0 })
    const away = cluster.names.find((name) => name !== leaderOf(cluster))!
    cluster.crash(away)
    write(cluster, 40, 'x'.repeat(40_000))
    const leader = leaderOf(cluster)
    cluster.start(away)
    // The first session is gone as soon as the leader has asked how much of it is there.
    const before = cluster.bulkBytes
    cluster.connect(leader, away)
    cluster.runUntil(() => cluster.bulkBytes > before)
    cluster.disconnect(leader, away)
    cluster.run(10)
    const connectedAt = cluster.now
    cluster.connectAll()
    cluster.runUntil(() => actions(cluster, away).includes('restored'))
    expect(cluster.now - connectedAt).toBeLessThan(ASK_AGAIN_MS / 2)
  })

  it('takes in a newcomer by a snapshot, and gives it the vote that it came for', () => {
    const cluster = form()
    write(cluster, 40)
    cluster.join('q1', { tokenId: id(7), role: 'voter', uses: 1 })
    restart(cluster, 'q1')
    const isVoter = (): boolean => {
      const { voters = [], outgoing = [] } = statusOf(cluster, 'q1').raft?.membership ?? {}
      return voters.includes('q1#1') && outgoing.length === 0
    }
    cluster.runUntil(() => isVoter() && settled(cluster))
    expect(actions(cluster, 'q1')).toContain('restored')
    expect(stateOf(cluster, 'q1')).toEqual(stateOf(cluster, leaderOf(cluster)))
  })

  it('remembers who was removed also where nobody saw it', () => {
    const cluster = form({ size: 4 })
    const leader = leaderOf(cluster)
    const [removed, away] = cluster.names.filter((name) => name !== leader)
    cluster.crash(away!)
    const operation = { op: 'remove', member: removed! } as const
    cluster.input(leader, { type: 'request', request: { type: 'members', requestId: id(0xabc), operation } })
    cluster.runUntil(() => cluster.life(leader).outcomes.some(({ requestId }) => requestId === id(0xabc)))
    cluster.crash(removed!)
    write(cluster, 40)
    restart(cluster, away!)
    cluster.runUntil(() => settled(cluster))
    expect(actions(cluster, away!)).toContain('restored')
    // Only those two meet: whoever got a snapshot knows that the other one is out.
    for (const name of cluster.names) if (name !== away && isUp(cluster, name)) cluster.crash(name)
    cluster.start(removed!)
    cluster.connect(away!, removed!)
    cluster.run(500)
    expect(statusOf(cluster, removed!).standing.type).toBe('removed')
    // And it still does after it has started again from that snapshot.
    cluster.crash(away!)
    cluster.crash(removed!)
    cluster.start(away!)
    cluster.start(removed!)
    cluster.connect(away!, removed!)
    cluster.run(500)
    expect(statusOf(cluster, removed!).standing.type).toBe('removed')
  })
})

describe('who asked before a snapshot took the place of its log', () => {
  it('is answered from what the snapshot remembers', () => {
    const cluster = form()
    const away = cluster.names.find((name) => name !== leaderOf(cluster))!
    const request = command(++last, '', away)
    cluster.input(away, { type: 'request', request })
    cluster.run(1.2)
    cluster.loses = (_from, to) => to === away
    const others = cluster.names.filter((name) => name !== away)
    cluster.runUntil(() => others.every((name) => statusOf(cluster, name).config!.current.version > 1))
    write(cluster, 40)
    cluster.loses = () => false
    cluster.runUntil(() => settled(cluster))
    expect(actions(cluster, away)).toContain('restored')
    cluster.run(3_000)
    const { requestId } = request
    expect(cluster.life(away).outcomes).toMatchObject([
      { type: 'applied', requestId, result: { type: 'set', version: 2 } }
    ])
    expect(statusOf(cluster, away).config!.current.version).toBe(42)
  })

  /** A desk whose requests went to a leader elsewhere, and what it said. */
  function asked(...requests: readonly ClientRequest[]): { desk: RequestDesk; outcomes: ClientOutcome[] } {
    const outcomes: ClientOutcome[] = []
    const desk = new RequestDesk({
      selfPeerId: 'p1',
      leader: () => ({ peerId: 'p2', term: 1 }),
      raftStatus: () => undefined,
      toRaft: () => {},
      send: () => {},
      incarnationOf: () => undefined,
      voterOf: () => undefined,
      members: () => {
        throw new Error('nobody changes members here')
      },
      outcast: () => undefined,
      holdBack: () => {},
      nextRef: () => 1,
      outcome: (outcome) => outcomes.push(outcome)
    })
    for (const request of requests) desk.accept(request, 0)
    desk.pump(0)
    return { desk, outcomes }
  }
  const nothing = { find: () => undefined, isWhole: true }

  it('waits on when it cannot be among what is gone, and is told that nobody knows when it may be', () => {
    const whole = asked(command(1))
    whole.desk.restored(9, 1, nothing)
    expect(whole.outcomes).toEqual([])
    const forgotten = asked(command(1), { type: 'read', requestId: id(2) })
    forgotten.desk.restored(9, 1, { ...nothing, isWhole: false })
    expect(forgotten.outcomes).toMatchObject([{ type: 'refused', requestId: id(1), code: 'unknown' }])
    expect(forgotten.desk.size).toBe(1)
  })

  it('is told the same when it was seen to commit there and is not remembered', () => {
    const done = { kind: 'answer', status: 'done', leader: 'p2', code: '', detail: '' } as const
    for (const [index, outcomes] of [
      [9, 1],
      [10, 0]
    ] as const) {
      const one = asked(command(1))
      one.desk.answered('p2', { ...done, requestId: fromHex(id(1))!, index }, 1)
      one.desk.restored(9, 1, nothing)
      expect(one.outcomes).toHaveLength(outcomes)
    }
  })
})

describe('when a snapshot is taken', () => {
  it('is when so many entries were applied, or so many bytes, but no oftener than its own size', () => {
    const taken = (snapshots: Partial<SnapshotPolicy>, filler: string): number => {
      const cluster = form({ snapshots: { ...OFTEN, ...snapshots } })
      write(cluster, 40, filler)
      cluster.run(100)
      return actions(cluster, leaderOf(cluster)).filter((action) => action === 'taken').length
    }
    expect(taken({ entriesMax: 10 }, '')).toBe(4)
    expect(taken({ entriesMax: 1e9 }, '')).toBe(0)
    const byBytes = taken({ entriesMax: 1e9, bytesMax: 4_000 }, 'x'.repeat(1_000))
    expect(byBytes).toBeGreaterThan(2)
    expect(byBytes).toBeLessThan(8)
  })
})

describe('the policy', () => {
  it('has defaults, and never keeps more behind a snapshot than lies between two', () => {
    expect(resolveSnapshots()).toMatchObject({ entriesMax: 10_000, trailingEntriesMax: 1_024 })
    expect(resolveSnapshots({ entriesMax: 5 })).toMatchObject({ entriesMax: 5, trailingEntriesMax: 5 })
    expect(resolveSnapshots({ entriesMax: 5, trailingEntriesMax: 2 }).trailingEntriesMax).toBe(2)
  })

  it.each([
    [{ entriesMax: 0 }, 'snapshots.entriesMax is 0'],
    [{ bytesMax: 1.5 }, 'snapshots.bytesMax is 1.5'],
    [{ every: 5 }, 'snapshots.every is unknown']
  ])('refuses %j', (given, message) => {
    expect(() => resolveSnapshots(given as Partial<SnapshotPolicy>)).toThrow(message)
  })
})
