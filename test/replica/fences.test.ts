/** Who is not heard and how it is told; and whose word about ourselves counts, for how long. */
import { describe, expect, it } from 'vitest'
import type { Admitted } from '../../src/membership/admission.ts'
import type { RaftStatus } from '../../src/raft/types.ts'
import type { BootWatch } from '../../src/replica/boot-watch.ts'
import { type FenceSurroundings, Fences, TELL_EVERY_MS } from '../../src/replica/fences.ts'
import { MemberHistory } from '../../src/replica/incarnations.ts'

const SELF = 'me#1'
const membershipOf = (voters: readonly string[], outgoing: readonly string[] = []) => ({
  voters,
  outgoing,
  learners: [],
  learnersNext: [],
  autoLeave: false
})

const peer = (incarnation: string, claim?: object): Admitted =>
  ({ peerId: incarnation.split('#')[0], incarnation, claim }) as unknown as Admitted

/** A node with its fences, in a group where `a#1` and `b#1` vote with it, and `c#1` did until entry 7. */
class Bench {
  readonly said: unknown[] = []
  readonly alarms: unknown[] = []
  readonly toRaft: unknown[] = []
  readonly bars = new Map<string, object>()
  /** Without a bar: what is held against them is not proved yet. */
  readonly suspected = new Set<string>()
  selfBar: object | undefined
  raft: RaftStatus | undefined
  readonly fences: Fences

  constructor({ founded = true } = {}) {
    const boots = {
      isMute: (id: string) => this.bars.has(id) || this.suspected.has(id),
      bar: (id: string) => this.bars.get(id)
    }
    Object.defineProperty(boots, 'selfBar', { get: () => this.selfBar })
    const around: FenceSurroundings = {
      self: SELF,
      boots: () => boots as unknown as BootWatch,
      raftStatus: () => this.raft,
      toRaft: (input, now) => this.toRaft.push([input, now]),
      send: (peerId, frame) => this.said.push([peerId, frame]),
      event: (event) => this.alarms.push(event)
    }
    this.fences = new Fences(around)
    if (!founded) return
    this.fences.history = new MemberHistory(membershipOf([SELF, 'a#1', 'b#1', 'c#1']))
    this.inForce(7, [SELF, 'a#1', 'b#1'])
  }

  inForce(index: number, voters: readonly string[], outgoing: readonly string[] = []): void {
    const membership = membershipOf(voters, outgoing)
    this.fences.history!.committed(membership, index)
    this.raft = { membership, membershipIndex: index, leader: 'a#1' } as unknown as RaftStatus
  }
}

const removed = { kind: 'fenced', code: 'removed', index: 7, detail: 'the configuration at 7 does not name c#1' }
const word = (code: 'removed' | 'clone' | 'rolled-back', index = 9) =>
  ({ kind: 'fenced', code, index, detail: 'so it is' }) as const

describe('who is not heard', () => {
  it('is told why, once in a while as long as it goes on, and at once in its next session', () => {
    const { fences, said } = new Bench()
    for (const now of [0, 1, TELL_EVERY_MS - 1, TELL_EVERY_MS]) fences.tell(peer('c#1'), now)
    expect(said).toEqual([
      ['c', removed],
      ['c', removed]
    ])
    fences.forget('c')
    fences.tell(peer('c#1'), TELL_EVERY_MS + 1)
    expect(said).toHaveLength(3)
    fences.tell(peer('a#1'), 0)
    fences.tell(peer('stranger#1'), 0)
    expect(said).toHaveLength(3)
  })

  it('is told what bars it; whoever is only suspected knows already', () => {
    const { fences, said, bars, suspected } = new Bench()
    bars.set('a#1', { code: 'clone', detail: 'a copy' })
    suspected.add('b#1')
    for (const id of ['a#1', 'b#1']) fences.tell(peer(id), 0)
    expect(said).toEqual([['a', { kind: 'fenced', code: 'clone', index: 0, detail: 'a copy' }]])
    expect(['a#1', 'b#1', 'c#1', SELF].map((id) => fences.isFenced(id))).toEqual([true, true, true, false])
  })

  it('is no leader that has removed itself, until somebody else leads', () => {
    const bench = new Bench()
    bench.inForce(8, [SELF, 'b#1'])
    expect(bench.fences.isFenced('a#1')).toBe(false)
    bench.raft = { ...bench.raft!, leader: 'b#1' }
    expect(bench.fences.isFenced('a#1')).toBe(true)
    bench.raft = undefined
    expect(bench.fences.isFenced('a#1')).toBe(true)
  })

  it('is nobody before founding, but who is barred', () => {
    const { fences, said, bars } = new Bench({ founded: false })
    bars.set('a#1', { code: 'rolled-back', detail: 'set back' })
    for (const id of ['a#1', 'b#1']) fences.tell(peer(id), 0)
    expect(said).toEqual([['a', { kind: 'fenced', code: 'rolled-back', index: 0, detail: 'set back' }]])
    expect([fences.standing().type, fences.outcast()]).toEqual(['unfounded', undefined])
  })
})

describe('being told', () => {
  const alarm = (code: string, by = 'a') => ({ type: 'alarm', code, detail: `${by} does not hear this node: so it is` })

  it('counts from those who vote, or did until a moment ago, and from no other member', () => {
    const bench = new Bench()
    bench.inForce(8, [SELF, 'a#1'], [SELF, 'b#1'])
    for (const id of ['c#1', 'stranger#1']) bench.fences.told(peer(id, {}), word('removed'), 0)
    expect([bench.alarms, bench.toRaft, bench.fences.outcast()]).toEqual([[], [], undefined])
    bench.fences.told(peer('b#1'), word('removed'), 5)
    expect(bench.alarms).toEqual([alarm('removed', 'b')])
    expect(bench.toRaft).toEqual([[{ type: 'removed', index: 9 }, 5]])
    expect(bench.fences.outcast()).toBe('the cluster removed me#1')
  })

  it('counts from founders before there is a cluster', () => {
    const { fences, alarms } = new Bench({ founded: false })
    fences.told(peer('joiner#1'), word('clone'), 0)
    expect(alarms).toEqual([])
    fences.told(peer('a#1', {}), word('clone'), 0)
    expect([alarms, fences.standing().type]).toEqual([[alarm('clone')], 'barred'])
  })

  it('of a removal is news when it is of a later configuration, and nothing once one is in force that names us', () => {
    const bench = new Bench()
    for (const index of [9, 9, 8, 10]) bench.fences.told(peer('a#1'), word('removed', index), 0)
    expect(bench.toRaft).toEqual([9, 10].map((index) => [{ type: 'removed', index }, 0]))
    expect(bench.fences.standing()).toMatchObject({ type: 'removed', final: true, fenced: { by: 'a', index: 10 } })
    bench.inForce(11, [SELF, 'a#1', 'b#1'])
    expect([bench.fences.standing().type, bench.fences.outcast()]).toEqual(['voter', undefined])
  })

  it('of what bars this node is final, outweighs a removal, and is no request to consensus', () => {
    const bench = new Bench()
    const { fences, alarms, toRaft } = bench
    for (const code of ['removed', 'clone', 'rolled-back', 'removed'] as const)
      fences.told(peer('a#1'), word(code, 20), 0)
    expect(alarms).toEqual([alarm('removed'), alarm('clone')])
    expect(toRaft).toHaveLength(1)
    expect(fences.standing()).toMatchObject({ type: 'barred', fenced: { code: 'clone' } })
    // Barred is not out: its machine comes back as itself. Also when the log says that it was removed.
    expect(fences.outcast()).toBeUndefined()
    bench.inForce(21, ['a#1', 'b#1'])
    expect(fences.standing()).toMatchObject({ type: 'barred', final: true })
    expect(fences.outcast()).toBeUndefined()
  })

  it('is outweighed by what the own signature proves', () => {
    const bench = new Bench()
    bench.fences.told(peer('a#1'), word('removed'), 0)
    bench.selfBar = { code: 'rolled-back', detail: 'signed by itself' }
    const fenced = { code: 'rolled-back', index: 0, detail: 'signed by itself', by: 'me' }
    expect(bench.fences.standing()).toMatchObject({ type: 'barred', fenced })
  })

  it('is not needed by whom the log says that it is out', () => {
    const bench = new Bench()
    bench.inForce(8, ['a#1', 'b#1'])
    expect(bench.fences.outcast()).toBe('the cluster removed me#1')
  })
})
