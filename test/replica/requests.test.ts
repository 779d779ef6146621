/** Requests on their way to a leader: each ends once, and a command is applied once, whatever becomes of leaders and answers. */
import { describe, expect, it } from 'vitest'
import { fromHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/hash.ts'
import { Forwards, FORWARDED_MAX } from '../../src/replica/forwards.ts'
import { encodeFrame, type FrameScope } from '../../src/replica/index.ts'
import { PENDING_MAX, RequestDesk, RETRY_MS, RETRY_SOON_MS } from '../../src/replica/requests.ts'
import { ANSWERS_MAX } from '../../src/replicated-config/limits.ts'
import type { ClientOutcome } from '../../src/replica/types.ts'
import { encodeCommand } from '../../src/replicated-config/index.ts'
import { readClaim } from '../formation/fake-crypto.ts'
import { VirtualCluster } from './virtual-cluster.ts'

const id = (n: number): string => n.toString(16).padStart(32, '0')

const command = (n: number, author = 'p1') => {
  const requestId = id(n)
  const text = `{"limit":${n}}`
  const data = encodeCommand({ kind: 'config-set', requestId, author, at: 0, reason: '', text })
  return { type: 'command', requestId, data } as const
}

function form(
  seed: number,
  slowDisks: Readonly<Record<string, number>> = {}
): { cluster: VirtualCluster; leader: string; follower: string } {
  const cluster = VirtualCluster.formed({ size: 3, seed, slowDisks })
  const leader = cluster.names.find((name) => cluster.life(name).replica.status().raft?.writable === true)!
  return { cluster, leader, follower: cluster.names.find((name) => name !== leader)! }
}

describe('commands and a leader that dies', () => {
  // More than the state machine remembers answers for: only the order of the log can tell which of them were applied.
  const many = ANSWERS_MAX + 200

  for (const crashAfterMs of [3, 5, 7]) {
    it(`are applied once each, ${many} at a time, ${crashAfterMs} ms after they were asked for`, () => {
      const { cluster, leader, follower } = form(crashAfterMs)
      for (let n = 1; n <= many; n++) cluster.input(follower, { type: 'request', request: command(n, follower) })
      cluster.run(crashAfterMs)
      cluster.crash(leader)
      const { outcomes, replica } = cluster.life(follower)
      cluster.runUntil(() => outcomes.length === many, 20_000)
      cluster.run(2_000)
      expect(replica.status().config?.current.version).toBe(many + 1)
      expect(new Set(outcomes.map(({ requestId }) => requestId)).size).toBe(many)
      expect(outcomes).toHaveLength(many)
    })
  }

  it('are applied once each when the node that asked is so slow that it asks again', () => {
    const slow = 'p3'
    const { cluster, leader } = form(2, { [slow]: 1_500 })
    expect(leader).not.toBe(slow)
    for (let n = 1; n <= many; n++) cluster.input(slow, { type: 'request', request: command(n, slow) })
    cluster.runUntil(() => cluster.life(slow).outcomes.length === many, 60_000)
    cluster.run(5_000)
    expect(cluster.life(leader).replica.status().config?.current.version).toBe(many + 1)
  })

  it('are applied once each when leadership moves on under them, again and again', () => {
    const { cluster, follower } = form(11)
    for (let round = 0; round < 6; round++) {
      for (let n = 1; n <= 50; n++)
        cluster.input(follower, { type: 'request', request: command(round * 50 + n, follower) })
      cluster.input(follower, {
        type: 'request',
        request: { type: 'transfer', requestId: id(9_000 + round), to: undefined }
      })
      cluster.run(round)
    }
    const commandsDone = (): number => cluster.life(follower).outcomes.filter(({ type }) => type === 'applied').length
    cluster.runUntil(() => commandsDone() === 300, 20_000)
    cluster.run(2_000)
    expect(commandsDone()).toBe(300)
    expect(cluster.life(follower).replica.status().config?.current.version).toBe(301)
  })

  it('that nobody waits for any more are not asked for again', () => {
    const { cluster, leader, follower } = form(5)
    for (const name of cluster.names) if (name !== follower) cluster.disconnect(follower, name)
    cluster.input(follower, { type: 'request', request: command(1, follower) })
    cluster.run(1_000)
    cluster.input(follower, { type: 'cancel', requestId: id(1) })
    cluster.connectAll()
    cluster.run(3_000)
    expect(cluster.life(follower).outcomes).toEqual([])
    expect(cluster.life(leader).replica.status().config?.current.version).toBe(1)
  })
})

describe('requests in bad weather', () => {
  /** What every life was asked, and gave up on. */
  interface Asked {
    readonly outcomes: readonly { readonly requestId: string; readonly type: string }[]
    readonly ids: Set<string>
  }

  function storm(seed: number): { cluster: VirtualCluster; asked: readonly Asked[] } {
    const cluster = new VirtualCluster({ size: 3, seed, loss: seed % 2 === 0 ? 0.05 : 0 })
    for (const name of cluster.names) cluster.start(name)
    cluster.connectAll()
    cluster.runUntil(() => cluster.names.every((name) => cluster.life(name).replica.status().config !== undefined))
    const random = cluster.random.fork('storm')
    const pick = (): string => cluster.names[random.int(0, 2)]!
    const lives = new Map<object, Asked>()
    const askedOf = (name: string): Asked => {
      const { replica, outcomes } = cluster.life(name)
      if (!lives.has(replica)) lives.set(replica, { outcomes, ids: new Set() })
      return lives.get(replica)!
    }
    // The first config is that of command 1.
    for (let n = 2; n <= 150; n++) {
      const [name, other] = [pick(), pick()]
      const dice = random.next()
      if (dice < 0.04 && cluster.names.every((one) => cluster.nodes.get(one)!.life !== undefined)) cluster.crash(name)
      else if (dice < 0.12) {
        for (const one of cluster.names) if (cluster.nodes.get(one)!.life === undefined) cluster.start(one)
        cluster.connectAll()
      } else if (dice < 0.2) cluster.disconnect(name, other)
      else if (cluster.nodes.get(name)!.life !== undefined) {
        const { ids } = askedOf(name)
        const requestId = id(n)
        ids.add(requestId)
        if (dice < 0.25) cluster.input(name, { type: 'request', request: { type: 'transfer', requestId, to: other } })
        else if (dice < 0.35) cluster.input(name, { type: 'request', request: { type: 'read', requestId } })
        else cluster.input(name, { type: 'request', request: command(n, name) })
        if (dice > 0.9) {
          cluster.run(random.next() * 5)
          if (askedOf(name).ids === ids) cluster.input(name, { type: 'cancel', requestId })
          ids.delete(requestId)
        }
      }
      cluster.run(random.next() * 40)
    }
    for (const one of cluster.names) if (cluster.nodes.get(one)!.life === undefined) cluster.start(one)
    cluster.connectAll()
    cluster.run(20_000)
    const alive = new Set<unknown>(cluster.names.map((name) => cluster.life(name).replica))
    return { cluster, asked: [...lives].flatMap(([replica, one]) => (alive.has(replica) ? [one] : [])) }
  }

  it('end once each, and each command is applied at most once and the same everywhere (12 seeds)', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const { cluster, asked } = storm(seed)
      const histories = cluster.names.map((name) =>
        [...cluster.life(name).replica.status().config!.history].map(({ text }) => text)
      )
      expect(new Set(histories[0]).size, `seed ${seed}: a command was applied twice`).toBe(histories[0]!.length)
      for (const history of histories) expect(history, `seed ${seed}`).toEqual(histories[0])
      for (const { ids, outcomes } of asked) {
        const ended = outcomes.map(({ requestId }) => requestId)
        expect(new Set(ended).size, `seed ${seed}: a request ended twice`).toBe(ended.length)
        const open = [...ids].filter((one) => !ended.includes(one))
        expect(open, `seed ${seed}: requests that never ended`).toEqual([])
      }
      for (const name of cluster.names) {
        expect(cluster.life(name).replica.status().requestsPending, `seed ${seed}`).toBe(0)
      }
    }
  })
})

describe('what peers ask through us', () => {
  it('is worked on once, however often it is repeated, and again when it comes after its end', () => {
    const { cluster, leader, follower } = form(3)
    const { replica } = cluster.life(leader)
    const scope: FrameScope = {
      domainId: sha256(utf8('test domain')),
      clusterId: fromHex(replica.status().clusterId!),
      generation: 1,
      readClaim
    }
    const operation = { op: 'command', data: command(1, follower).data } as const
    const frame = encodeFrame({ kind: 'forward', requestId: fromHex(id(1))!, operation }, scope)
    const { lastIndex } = replica.status().raft!
    for (let i = 0; i < 100; i++) cluster.input(leader, { type: 'frame', from: follower, frame })
    expect(replica.status().raft!.lastIndex).toBe(lastIndex + 1)
    cluster.run(100)
    cluster.input(leader, { type: 'frame', from: follower, frame })
    expect(replica.status().raft!.lastIndex).toBe(lastIndex + 2)
    cluster.run(100)
    expect(replica.status().config?.current.version).toBe(2)
  })
})

describe('who speaks for whom', () => {
  it('a member writes in its own name only, whoever forged the other one', () => {
    const { cluster, leader, follower } = form(3)
    const other = cluster.names.find((name) => name !== leader && name !== follower)!
    cluster.input(follower, { type: 'request', request: command(1, other) })
    const { outcomes } = cluster.life(follower)
    cluster.runUntil(() => outcomes.length > 0)
    expect(outcomes).toMatchObject([{ type: 'refused', code: 'invalid-change' }])
    expect((outcomes[0] as { detail: string }).detail).toBe(`${follower} cannot write in the name of ${other}`)
    cluster.input(follower, { type: 'request', request: command(2, follower) })
    cluster.runUntil(() => outcomes.length > 1)
    expect(outcomes[1]).toMatchObject({ type: 'applied', result: { version: 2 } })
    expect(cluster.life(leader).replica.status().config?.current.author).toBe(follower)
  })
})

describe('a request that was lost with its session', () => {
  it('is asked again when the next one opens, and not a second later', () => {
    const { cluster, leader, follower } = form(3)
    cluster.loses = (from, to) => from === follower && to === leader
    cluster.input(follower, { type: 'request', request: command(1, follower) })
    cluster.run(5)
    cluster.disconnect(follower, leader)
    cluster.loses = () => false
    cluster.connect(follower, leader)
    const { outcomes } = cluster.life(follower)
    const askedAt = cluster.now
    cluster.runUntil(() => outcomes.length > 0)
    expect(outcomes).toMatchObject([{ type: 'applied', result: { version: 2 } }])
    expect(cluster.now - askedAt).toBeLessThan(RETRY_MS / 4)
  })
})

describe('a command whose answer is lost', () => {
  function desk() {
    const sent: string[] = []
    const outcomes: ClientOutcome[] = []
    const made = new RequestDesk({
      selfPeerId: 'p1',
      leader: () => ({ peerId: 'p2', term: 3 }),
      raftStatus: () => undefined,
      toRaft: () => {},
      send: (to, frame) => sent.push(frame.kind === 'forward' ? `${frame.operation.op} to ${to}` : frame.kind),
      incarnationOf: () => undefined,
      voterOf: () => undefined,
      members: () => ({}) as never,
      outcast: () => undefined,
      holdBack: () => {},
      nextRef: () => 1,
      outcome: (outcome) => outcomes.push(outcome)
    })
    made.appliedUpTo(10, 3)
    made.accept(command(1), 0)
    made.pump(0)
    return { desk: made, sent, outcomes }
  }
  const answer = { kind: 'answer', requestId: fromHex(id(1))!, leader: 'p2', detail: '' } as const
  const done = (index: number) => ({ ...answer, status: 'done', index, code: '' }) as const
  const retry = (code: string) => ({ ...answer, status: 'retry', index: 0, code }) as const

  it('is not told again before it is certain that it stands in no log: its leader is asked first', () => {
    const { desk: one, sent } = desk()
    one.pump(RETRY_MS - 1)
    expect(sent.splice(0)).toEqual(['command to p2'])
    one.pump(RETRY_MS)
    one.sessionOpened('p3', RETRY_MS + 1)
    one.pump(RETRY_MS + 1)
    expect(sent.splice(0)).toEqual(['read to p2'])
    one.sessionOpened('p2', RETRY_MS + 2)
    one.pump(RETRY_MS + 2)
    expect(sent.splice(0)).toEqual(['read to p2'])
    one.answered('p2', done(50), RETRY_MS + 3)
    one.appliedUpTo(49, 3)
    one.pump(RETRY_MS * 9)
    expect(sent).toEqual([])
    expect(one.deadline()).toBeUndefined()
    one.appliedUpTo(50, 3)
    expect(one.deadline()).toBe(RETRY_MS + 3)
    one.pump(RETRY_MS * 9)
    expect(sent.splice(0)).toEqual(['command to p2'])
    one.pump(RETRY_MS * 10)
    expect(sent).toEqual(['read to p2'])
  })

  it('is done when it is applied meanwhile', () => {
    const { desk: one, sent } = desk()
    one.pump(RETRY_MS)
    one.answered('p2', done(50), RETRY_MS)
    expect(one.applied(id(1))).toBe(true)
    one.appliedUpTo(50, 3)
    one.pump(RETRY_MS * 9)
    expect(sent).toEqual(['command to p2', 'read to p2'])
  })

  it('is told again at once when the leader says that it entered no log, but not when only the question found no answer', () => {
    const { desk: one, sent } = desk()
    one.answered('p2', retry('busy'), 1)
    one.pump(1 + RETRY_SOON_MS)
    expect(sent.splice(0)).toEqual(['command to p2', 'command to p2'])
    one.pump(2 * RETRY_MS)
    one.answered('p2', retry('busy'), 2 * RETRY_MS)
    one.pump(2 * RETRY_MS + RETRY_SOON_MS)
    expect(sent).toEqual(['read to p2', 'read to p2'])
  })
})

describe('the book of what peers have asked', () => {
  const requestId = (n: number): Uint8Array => fromHex(id(n))!

  it('gives each member an equal share, so that one that asks without end leaves the others theirs', () => {
    const book = new Forwards()
    const share = Math.floor(FORWARDED_MAX / 3)
    for (let n = 0; n < share; n++) {
      expect(book.isFullFor('greedy', 3)).toBe(false)
      book.add(n, { peerId: 'greedy', requestId: requestId(n), op: 'read' })
    }
    expect(book.isFullFor('greedy', 3)).toBe(true)
    expect(book.isFullFor('modest', 3)).toBe(false)
    expect(book.take(7)).toMatchObject({ peerId: 'greedy', requestId: requestId(7) })
    expect(book.take(7)).toBeUndefined()
    expect(book.isFullFor('greedy', 3)).toBe(false)
  })

  it('has a bound for all of them together, and knows a repeat by peer and id until it is taken', () => {
    const book = new Forwards()
    for (let n = 0; n < FORWARDED_MAX; n++) book.add(n, { peerId: `p${n % 8}`, requestId: requestId(n), op: 'read' })
    expect(book.isFullFor('newcomer', 8)).toBe(true)
    expect(book.has('p1', requestId(1))).toBe(true)
    expect(book.has('p2', requestId(1))).toBe(false)
    book.take(1)
    expect(book.has('p1', requestId(1))).toBe(false)
    expect(book.isFullFor('newcomer', 8)).toBe(false)
  })
})

describe('callers', () => {
  it('beyond the bound are told that this node is busy, and the others are not disturbed', () => {
    const cluster = new VirtualCluster({ size: 3, seed: 1 })
    cluster.start('p1')
    for (let n = 1; n <= PENDING_MAX + 3; n++) {
      cluster.input('p1', { type: 'request', request: { type: 'read', requestId: id(n) } })
    }
    const { outcomes, replica } = cluster.life('p1')
    expect(outcomes.map((outcome) => outcome.type === 'refused' && outcome.code)).toEqual(['busy', 'busy', 'busy'])
    expect(replica.status().requestsPending).toBe(PENDING_MAX)
  })
})
