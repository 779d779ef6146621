import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import { createDialPlanner } from '../../src/discovery/dial-planner.ts'
import { defaultDialPolicy } from '../../src/discovery/dial-policy.ts'
import type { DialPlannerInput } from '../../src/discovery/port.ts'
import { PlannerWorld } from './planner-world.ts'

const at = (n: number): string => `/ip4/10.0.${n >> 8}.${n & 255}/tcp/4001`
const text = (world: PlannerWorld): string => world.transcript.join('\n')

describe('one peer', () => {
  it('is dialled at once, and while connected never again', () => {
    const world = new PlannerWorld()
    world.addresses.set(at(1), { peerId: 'zoe' })
    world.hint('mdns', 'zoe', at(1))
    world.runFor(1_000)
    world.hint('mdns', 'zoe', at(1))
    world.hint('exchange', 'zoe', at(2))
    world.runFor(60_000)
    expect(text(world)).toMatchInlineSnapshot(`
      "     0  dial zoe at /ip4/10.0.0.1/tcp/4001
           5  reached zoe"
    `)
  })

  it('that is lost after a while is dialled again when an election would be over', () => {
    const world = new PlannerWorld()
    world.addresses.set(at(1), { peerId: 'zoe' })
    world.hint('mdns', 'zoe', at(1))
    world.runFor(10_000)
    world.disconnect('zoe')
    world.runFor(1_000)
    const [, again] = world.dialsOf('zoe')
    expect(again).toBeGreaterThanOrEqual(10_040)
    expect(again).toBeLessThan(10_070)
  })

  it('that does not answer is retried fast at first, then rarely', () => {
    const world = new PlannerWorld({ timeoutMs: 1 })
    world.hint('exchange', 'zoe', at(1))
    world.runFor(60_000)
    const gaps = world.dialsOf('zoe').map((time, i, all) => (i === 0 ? 0 : time - all[i - 1]! - 1))
    expect(gaps[0]).toBe(0)
    for (const [i, gap] of gaps.slice(1).entries()) {
      const full = Math.min(defaultDialPolicy.hintRetryMaxMs, 50 * 2 ** i)
      expect(gap).toBeGreaterThanOrEqual(full / 2)
      expect(gap).toBeLessThanOrEqual(full)
    }
    expect(gaps.length).toBeGreaterThan(8)
  })

  it('that refuses waits far longer than one that cannot be reached, until our credentials change', () => {
    const world = new PlannerWorld()
    world.addresses.set(at(1), 'refuses')
    world.hint('mdns', 'zoe', at(1))
    world.runFor(7_000)
    expect(world.dialsOf('zoe')).toHaveLength(1)
    expect(world.planner.explain(world.now)[0]).toMatchObject({
      state: 'refused',
      lastError: 'ERR_STRANGER',
      attempts: 1
    })
    world.addresses.set(at(1), { peerId: 'zoe' })
    world.input({ type: 'forgive' })
    world.runFor(100)
    expect(world.connected.has('zoe')).toBe(true)
  })

  it('that refuses is not dialled sooner because it announces itself at ever new addresses', () => {
    const world = new PlannerWorld()
    for (let i = 0; i < 500; i++) world.addresses.set(at(i), 'refuses')
    for (let i = 0; i < 500; i++) world.at(i * 20, () => world.hint('mdns', 'zoe', at(i)))
    world.runFor(10_000)
    expect(world.dialsOf('zoe').length).toBeLessThanOrEqual(2)
  })

  it('that comes back at another address is found at once, in spite of its back-off', () => {
    const world = new PlannerWorld({ timeoutMs: 1 })
    world.addresses.set(at(1), { peerId: 'zoe' })
    world.hint('mdns', 'zoe', at(1))
    world.runFor(20_000)
    world.addresses.delete(at(1))
    world.disconnect('zoe')
    world.runFor(30_000)
    world.addresses.set(at(9), { peerId: 'zoe' })
    world.hint('mdns', 'zoe', at(9))
    world.runFor(10)
    expect(world.connected.has('zoe')).toBe(true)
  })

  it('that restarts at the same address and announces itself again is found at once', () => {
    const world = new PlannerWorld({ timeoutMs: 1 })
    world.hint('mdns', 'zoe', at(1))
    world.runFor(30_000)
    world.addresses.set(at(1), { peerId: 'zoe' })
    world.gone('mdns', 'zoe')
    world.hint('mdns', 'zoe', at(1))
    world.runFor(10)
    expect(world.connected.has('zoe')).toBe(true)
  })

  it('whose announcement flaps between addresses is not dialled more than its back-off of news allows', () => {
    const world = new PlannerWorld({ timeoutMs: 1 })
    for (let i = 0; i < 6_000; i++) world.at(i * 10, () => world.hint('mdns', 'zoe', at(i % 200)))
    world.runFor(60_000)
    expect(world.dialsOf('zoe').length).toBeLessThan(30)
  })

  it('whose connections end at once is dialled ever more slowly', () => {
    const world = new PlannerWorld()
    world.addresses.set(at(1), { peerId: 'zoe' })
    world.input({ type: 'wanted', peerIds: ['zoe'] })
    for (let i = 0; i < 6_000; i++) world.at(i * 10, () => world.disconnect('zoe'))
    world.hint('mdns', 'zoe', at(1))
    world.runFor(60_000)
    expect(world.dialsOf('zoe').length).toBeLessThan(24)
    expect(world.dialsOf('zoe').length).toBeGreaterThan(8)
  })

  it('whose connections end at once is dialled as slowly by whoever knows nothing but its address', () => {
    for (const lastsMs of [1, 100, 1_000]) {
      const world = new PlannerWorld()
      world.lastsMs = lastsMs
      world.addresses.set(at(1), { peerId: 'zoe' })
      world.hint('seed', undefined, at(1))
      world.runFor(120_000)
      const times = world.dialsOf(at(1))
      const pauses = times.slice(1).map((time, i) => time - times[i]!)
      expect(times.length).toBeLessThan(30)
      // Never given up, and as rarely as an address where nobody is: the ceiling of seeds.
      expect(Math.max(...pauses)).toBeLessThan(defaultDialPolicy.retryMaxMs + 2 * lastsMs)
      expect(Math.min(...pauses.slice(-5))).toBeGreaterThan(defaultDialPolicy.retryMaxMs / 2)
    }
  })

  it('that stays for once is dialled at once when it is lost, whatever was before', () => {
    const world = new PlannerWorld()
    world.addresses.set(at(1), { peerId: 'zoe' })
    world.hint('seed', undefined, at(1))
    world.lastsMs = 1
    world.runFor(60_000)
    world.lastsMs = undefined
    world.runFor(defaultDialPolicy.retryMaxMs + defaultDialPolicy.stableMs)
    expect(world.connected).toContain('zoe')
    const before = world.dialled.length
    world.disconnect('zoe')
    world.runFor(100)
    expect(world.dialled).toHaveLength(before + 1)
  })

  it('that answered at a seed and stayed away is forgotten when its back-off is over', () => {
    const world = new PlannerWorld({ timeoutMs: 1 })
    world.addresses.set(at(1), { peerId: 'zoe' })
    world.hint('seed', undefined, at(1))
    world.lastsMs = 1
    world.runFor(1_000)
    world.addresses.delete(at(1))
    world.runFor(2 * defaultDialPolicy.retryMaxMs)
    expect(world.planner.explain(world.now).map(({ key }) => key)).toEqual([at(1)])
  })

  it('is forgotten when its announcement has aged out or it said goodbye', () => {
    const world = new PlannerWorld({ timeoutMs: 1 })
    world.hint('mdns', 'zoe', at(1))
    world.hint('mdns', 'yan', at(2))
    world.gone('mdns', 'yan')
    world.runFor(defaultDialPolicy.ttlMs.mdns + 2_000)
    world.input({ type: 'tick' })
    expect(world.planner.explain(world.now)).toEqual([])
    expect(world.dialsOf('yan')).toHaveLength(1)
  })

  it('that is wanted is dialled for ever, at its last known address when nothing newer is known', () => {
    const world = new PlannerWorld({ timeoutMs: 1 })
    world.input({ type: 'wanted', peerIds: ['zoe'] })
    world.hint('exchange', 'zoe', at(1))
    world.runFor(24 * 3_600_000)
    world.addresses.set(at(1), { peerId: 'zoe' })
    world.runFor(defaultDialPolicy.retryMaxMs + 10)
    expect(world.connected.has('zoe')).toBe(true)
  })

  it('known by mDNS alone is left to the lower PeerId for a moment', () => {
    const high = new PlannerWorld({ self: 'zzz' })
    const low = new PlannerWorld({ self: 'aaa' })
    const known = new PlannerWorld({ self: 'zzz' })
    for (const world of [high, low, known]) world.hint('mdns', 'mmm', at(1))
    known.hint('cache', 'mmm', at(1))
    for (const world of [high, low, known]) world.runFor(400)
    expect([high, low, known].map((world) => world.dialsOf('mmm')[0])).toEqual([150, 0, 0])
  })
})

describe('while somebody is at the door', () => {
  const door = (world: PlannerWorld, knocking: boolean): void => world.input({ type: 'door', knocking })
  const dialsOf = (world: PlannerWorld): number[] => world.dialled.map((dialled) => dialled.at)

  /** A seed that did not answer is due again at 25 to 50. */
  function retrying(): PlannerWorld {
    const world = new PlannerWorld({ timeoutMs: 0 })
    world.hint('seed', undefined, at(1))
    world.runFor(20)
    door(world, true)
    return world
  }

  it('whom we failed to reach waits until nobody is', () => {
    const world = retrying()
    world.runFor(100)
    expect(dialsOf(world)).toEqual([0])
    door(world, false)
    expect(dialsOf(world)).toEqual([0, 120])
  })

  it('it waits no longer than a moment', () => {
    const [busy, quiet] = [retrying(), retrying()]
    door(quiet, false)
    for (const world of [busy, quiet]) world.runFor(200)
    const [[, late], [, inTime]] = [dialsOf(busy), dialsOf(quiet)]
    expect(late! - inTime!).toBe(150)
  })

  it('it is not dialled at all when it was the one', () => {
    const world = retrying()
    world.runFor(100)
    world.input({ type: 'connected', peerId: 'zoe', address: at(1) })
    door(world, false)
    world.runFor(5_000)
    expect(dialsOf(world)).toEqual([0])
  })

  it('whom a member told us of waits as well, and nobody who is wanted or new', () => {
    const world = new PlannerWorld()
    door(world, true)
    world.hint('exchange', 'told', at(1))
    world.hint('seed', undefined, at(2))
    world.hint('mdns', 'zzz', at(3))
    world.hint('exchange', 'member', at(4))
    world.input({ type: 'wanted', peerIds: ['member'] })
    world.runFor(149)
    expect(world.dialled.map(({ target }) => target.key).toSorted()).toEqual([at(2), 'member', 'zzz'])
    world.runFor(1)
    expect(world.dialsOf('told')).toEqual([150])
  })
})

describe('two whom a member introduces to each other', () => {
  /** In the company of a member who lives at the first address. */
  function acquainted(): PlannerWorld {
    const world = new PlannerWorld()
    world.addresses.set(at(1), { peerId: 'member' })
    world.hint('seed', undefined, at(1))
    world.runFor(5)
    return world
  }

  it('do not dial each other both: the newcomer does, at once', () => {
    const newcomer = acquainted()
    newcomer.hint('exchange', 'zoe', at(2))
    const host = acquainted()
    host.runFor(10_000)
    host.hint('exchange', 'zoe', at(2))
    host.runFor(149)
    expect([newcomer.dialsOf('zoe'), host.dialsOf('zoe')]).toEqual([[5], []])
    // She has come meanwhile.
    host.input({ type: 'connected', peerId: 'zoe' })
    host.runFor(4_000)
    expect(host.dialsOf('zoe')).toEqual([])
  })

  it('meet all the same when the newcomer cannot dial', () => {
    const host = acquainted()
    host.runFor(9_995)
    host.hint('exchange', 'zoe', at(2))
    host.runFor(1_000)
    expect(host.dialsOf('zoe')[0]).toBe(10_150)
  })

  it('are dialled once by whoever has her address from elsewhere and is dialling it', () => {
    const newcomer = acquainted()
    newcomer.addresses.set(at(2), { peerId: 'zoe' })
    newcomer.hint('seed', undefined, at(2))
    newcomer.hint('exchange', 'zoe', at(2))
    newcomer.runFor(4_000)
    expect([newcomer.dialsOf('zoe'), newcomer.dialsOf(at(2))]).toEqual([[], [5]])
  })

  it('are not dialled twice because a seed of that address was due', () => {
    const host = acquainted()
    host.hint('seed', undefined, at(2))
    host.runFor(20_000)
    const before = host.dialsOf(at(2)).length
    const due = host.planner.explain(host.now).find(({ key }) => key === at(2))!.nextAt!
    host.runFor(due - host.now - 1)
    host.hint('exchange', 'zoe', at(2))
    host.runFor(149)
    expect(host.dialsOf(at(2))).toHaveLength(before)
    // Nobody came: both are tried.
    host.runFor(5_000)
    expect(host.dialsOf(at(2)).length).toBeGreaterThan(before)
    expect(host.dialsOf('zoe').length).toBeGreaterThan(0)
  })
})

it('a seed does not wait on the word of mDNS, whoever is said to be there', () => {
  const world = new PlannerWorld({ self: 'zzz' })
  world.hint('seed', undefined, at(2))
  world.runFor(20_000)
  const dueAt = (): number | undefined => world.planner.explain(world.now).find(({ key }) => key === at(2))!.nextAt
  const due = dueAt()!
  world.runFor(due - world.now - 10)
  world.hint('mdns', 'forged', at(2))
  expect(dueAt()).toBe(due)
})

describe('company enough', () => {
  const crowd = (world: PlannerWorld, count: number): void => {
    for (let i = 0; i < count; i++) {
      world.addresses.set(at(i), { peerId: `peer${i}` })
      world.hint('mdns', `peer${i}`, at(i))
    }
  }

  it('of a thousand hints, a node that knows whom it needs follows a handful', () => {
    const world = new PlannerWorld()
    world.input({ type: 'wanted', peerIds: ['zoe'] })
    crowd(world, 1_000)
    world.runFor(60_000)
    expect(world.connected.size).toBe(defaultDialPolicy.meshMax)
    // Whom it needs it dials all the same, and where the operator points.
    world.addresses.set(at(2_000), { peerId: 'zoe' })
    world.hint('exchange', 'zoe', at(2_000))
    world.addresses.set(at(2_001), { peerId: 'ann' })
    world.hint('seed', undefined, at(2_001))
    world.runFor(1_000)
    expect([world.connected.has('zoe'), world.connected.has('ann')]).toEqual([true, true])
  })

  it('one that needs nobody in particular does so too, and one that does not know yet meets everybody', () => {
    const [content, seeking] = [new PlannerWorld(), new PlannerWorld()]
    content.input({ type: 'wanted', peerIds: [] })
    for (const world of [content, seeking]) {
      crowd(world, 100)
      world.runFor(60_000)
    }
    expect([content.connected.size, seeking.connected.size]).toEqual([defaultDialPolicy.meshMax, 100])
  })

  it('whoever is lost is replaced', () => {
    const world = new PlannerWorld()
    world.input({ type: 'wanted', peerIds: [] })
    crowd(world, 100)
    world.runFor(10_000)
    for (const peerId of [...world.connected]) {
      world.addresses.set(at(Number(peerId.slice(4))), 'silent')
      world.disconnect(peerId)
    }
    world.runFor(10_000)
    expect(world.connected.size).toBe(defaultDialPolicy.meshMax)
  })
})

describe('addresses', () => {
  it('of one source are capped, and a poisoned source cannot crowd out another', () => {
    const world = new PlannerWorld()
    world.hint('exchange', 'zoe', at(1))
    world.runFor(2_000)
    const poison = Array.from({ length: 100 }, (_, i) => at(1_000 + i))
    world.hint('mdns', 'zoe', ...poison)
    world.runFor(20_000)
    const { addresses } = world.dialled.at(-1)!.target
    expect(addresses).toHaveLength(8)
    expect(addresses).toContain(at(1))
  })

  it('that are newest come first, and a /p2p part is cut off', () => {
    const world = new PlannerWorld({ timeoutMs: 1 })
    world.hint('cache', 'zoe', at(1))
    world.runFor(1_000)
    world.hint('mdns', 'zoe', `${at(2)}/p2p/zoe`)
    world.runFor(5_000)
    expect(world.dialled.at(-1)!.target.addresses).toEqual([at(2), at(1)])
  })
})

describe('seeds', () => {
  it('are bound to whoever answers, and rest while that peer is connected', () => {
    const world = new PlannerWorld()
    world.addresses.set(at(1), { peerId: 'zoe' })
    world.hint('seed', undefined, at(1), at(2))
    world.runFor(100)
    world.addresses.delete(at(1))
    world.runFor(6_000)
    expect(world.dialsOf(at(1))).toHaveLength(1)
    world.disconnect('zoe')
    world.addresses.set(at(1), { peerId: 'new' })
    world.runFor(200)
    expect(world.connected).toEqual(new Set(['new']))
  })

  it('are tried again when a wanted peer is lost, once each time that whoever answered there has come back', () => {
    const world = new PlannerWorld()
    world.addresses.set(at(1), { peerId: 'zoe' }).set(at(2), { peerId: 'ann' })
    world.input({ type: 'wanted', peerIds: ['ann', 'zoe'] })
    world.hint('seed', undefined, at(1), at(2))
    world.runFor(20_000)
    for (const peerId of ['ann', 'zoe']) world.disconnect(peerId)
    // Zoe is somewhere else, and comes to us; she has Ann's address now, or nobody does.
    world.addresses.delete(at(2))
    world.connected.add('zoe')
    world.input({ type: 'connected', peerId: 'zoe' })
    world.runFor(60_000)
    expect(world.dialsOf(at(1))).toHaveLength(2)
    world.disconnect('zoe')
    world.connected.add('zoe')
    world.input({ type: 'connected', peerId: 'zoe' })
    world.addresses.set(at(1), { peerId: 'ann' })
    world.runFor(20_000)
    expect(world.connected).toContain('ann')
  })

  it('and the peer that mDNS finds at the same address are dialled once', () => {
    const world = new PlannerWorld()
    world.addresses.set(at(1), { peerId: 'zoe' })
    world.hint('seed', undefined, at(1))
    world.hint('mdns', 'zoe', at(1))
    world.runFor(60_000)
    expect(world.dialled).toHaveLength(1)
    const other = new PlannerWorld()
    other.addresses.set(at(1), { peerId: 'zoe' })
    other.hint('mdns', 'zoe', at(1))
    other.hint('seed', undefined, at(1))
    other.runFor(60_000)
    expect(other.dialled).toHaveLength(1)
  })

  it('are not kept from their dial by forged peers that claim their address', () => {
    const world = new PlannerWorld({ timeoutMs: 20_000 })
    for (let i = 0; i < 8; i++) world.hint('mdns', `liar${i}`, at(9_000 + i), at(1))
    world.hint('seed', undefined, at(1))
    world.runFor(1_100)
    expect(world.dialsOf(at(1))).toHaveLength(1)
  })

  it('that point at ourselves are named once and left alone', () => {
    const world = new PlannerWorld({ self: 'me' })
    world.addresses.set(at(1), { peerId: 'me' })
    world.input({ type: 'self', addresses: [`${at(2)}/p2p/me`] })
    world.hint('seed', undefined, at(1), at(2))
    world.runFor(500_000)
    expect(text(world)).toMatchInlineSnapshot(`
      "     0  alarm seed-self: /ip4/10.0.0.2/tcp/4001 is this node itself; remove it from the seeds
           0  dial /ip4/10.0.0.1/tcp/4001
           5  reached me
           5  alarm seed-self: /ip4/10.0.0.1/tcp/4001 is this node itself; remove it from the seeds"
    `)
    expect(world.planner.explain(world.now).map(({ key, state }) => [key, state])).toEqual([
      [at(1), 'self'],
      [at(2), 'self']
    ])
  })

  it('that were our own address are dialled when we have moved away from there', () => {
    const world = new PlannerWorld({ self: 'me' })
    world.input({ type: 'self', addresses: [at(1)] })
    world.hint('seed', undefined, at(1), at(2))
    world.addresses.set(at(1), { peerId: 'you' })
    world.runFor(1_000)
    expect(world.dialsOf(at(1))).toHaveLength(0)
    world.input({ type: 'self', addresses: [at(2)] })
    world.runFor(1_000)
    expect(world.connected.has('you')).toBe(true)
  })

  it('that nobody answers are explained with what was tried', () => {
    const world = new PlannerWorld()
    world.hint('seed', undefined, at(1))
    world.runFor(10_000)
    const [seed] = world.planner.explain(world.now)
    expect(seed).toMatchObject({
      key: at(1),
      peerId: undefined,
      sources: ['seed'],
      lastError: 'ERR_UNREACHABLE',
      wanted: false
    })
    expect(seed!.attempts).toBeGreaterThan(3)
    expect(seed!.nextAt ?? world.now + 1).toBeGreaterThan(world.now)
  })
})

describe('many', () => {
  it('a thousand hints at once are a queue, not a storm, and wanted peers do not wait in it', () => {
    const world = new PlannerWorld({ timeoutMs: 300 })
    for (let i = 0; i < 1_000; i++) world.hint('mdns', `peer${i}`, at(i))
    world.addresses.set(at(5_000), { peerId: 'voter' })
    world.runFor(500)
    world.hint('exchange', 'voter', at(5_000))
    world.input({ type: 'wanted', peerIds: ['voter'] })
    world.runFor(5)
    expect(world.connected.has('voter')).toBe(true)
    world.runFor(20_000)
    expect(world.inFlightMost).toBeLessThanOrEqual(12 + 1)
    expectBounded(world)
  })

  it('a flood of ever new peers does not starve those that were due before', () => {
    const world = new PlannerWorld({ self: 'aaa', timeoutMs: 300, policy: { burst: 1, perSecond: 10 } })
    const victims = Array.from({ length: 8 }, (_, i) => `victim${i}`)
    for (let i = 0; i < 6_000; i++) world.at(i * 10, () => world.hint('mdns', `peer${i}`, at(100 + i)))
    for (const [i, victim] of victims.entries()) {
      world.addresses.set(at(i), { peerId: victim })
      world.at(501 + i * 100, () => world.hint('mdns', victim, at(i)))
    }
    world.runFor(60_000)
    expect([...world.connected].toSorted()).toEqual(victims)
    expect(world.planner.explain(world.now).length).toBeLessThanOrEqual(defaultDialPolicy.targetsMax)
  })

  it('a full table of mDNS hints still has room for what a member or an operator says', () => {
    const world = new PlannerWorld({ timeoutMs: 10_000 })
    for (let i = 0; i < 3_000; i++) world.hint('mdns', `peer${i}`, at(100 + i))
    world.addresses.set(at(1), { peerId: 'zoe' })
    world.hint('exchange', 'zoe', at(1))
    world.hint('seed', undefined, at(2))
    const keys = world.planner.explain(world.now).map(({ key }) => key)
    expect(keys).toHaveLength(defaultDialPolicy.targetsMax)
    expect(keys).toContain('zoe')
    expect(keys).toContain(at(2))
  })

  it('takes little work per hint even when its table is full', () => {
    const planner = createDialPlanner({ self: 'self', random: seededRandom(1) })
    const hintOf = (i: number): DialPlannerInput => ({
      type: 'hint',
      hint: { source: 'mdns', peerId: `peer${i}`, addresses: [at(i), at(i + 1), at(i + 2)] }
    })
    const started = performance.now()
    for (let i = 0; i < 5_000; i++) planner.step(hintOf(i), i)
    // Measured 1 s; the bound only catches a quadratic mistake.
    expect(performance.now() - started).toBeLessThan(15_000)
  })
})

/** In no window do dials of peers that are not wanted exceed burst plus rate. */
function expectBounded(world: PlannerWorld, wanted: ReadonlySet<string> = new Set(['voter'])): void {
  const times = world.dialled.filter(({ target }) => !wanted.has(target.key)).map(({ at: time }) => time)
  const { burst, perSecond } = defaultDialPolicy
  for (let i = 0; i < times.length; i++) {
    for (let j = i; j < times.length; j++) {
      const allowed = burst + ((times[j]! - times[i]!) * perSecond) / 1_000 + 1
      if (j - i + 1 > allowed) throw new Error(`${j - i + 1} dials between ${times[i]} and ${times[j]} ms`)
    }
  }
}

describe('properties', () => {
  const peers = Array.from({ length: 12 }, (_, i) => `p${String(i).padStart(2, '0')}`)
  const peer = fc.constantFrom('self', ...peers)
  const address = fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 0, max: 15 }).map(at) },
    fc.constantFrom('', 'garbage', `${at(3)}/p2p/p03`, `${at(3)}/p2p/p03/p2p-circuit`, `/dns4/${'x'.repeat(400)}/tcp/1`)
  )
  const source = fc.constantFrom('mdns', 'seed', 'cache', 'exchange')
  const action = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('hint' as const),
        source,
        peerId: fc.option(peer, { nil: undefined }),
        addresses: fc.array(address, { maxLength: 12 }),
        gone: fc.boolean()
      })
    },
    fc.record({ do: fc.constant('lose' as const), peer }),
    fc.record({ do: fc.constant('arrive' as const), peer }),
    fc.record({ do: fc.constant('move' as const), address: fc.integer({ min: 0, max: 15 }).map(at), peer }),
    fc.record({ do: fc.constant('refuse' as const), address: fc.integer({ min: 0, max: 15 }).map(at) }),
    fc.record({ do: fc.constant('vanish' as const), address: fc.integer({ min: 0, max: 15 }).map(at) }),
    fc.record({ do: fc.constant('want' as const), peers: fc.uniqueArray(peer) }),
    fc.record({ do: fc.constant('forgive' as const) }),
    fc.record({ do: fc.constant('self' as const), addresses: fc.array(address) }),
    { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 20_000 }) }) }
  )
  type Action = typeof action extends fc.Arbitrary<infer T> ? T : never

  const perform = (world: PlannerWorld, step: Action): void => {
    switch (step.do) {
      case 'hint':
        return world.input({
          type: 'hint',
          hint: { source: step.source, peerId: step.peerId, addresses: step.addresses, gone: step.gone }
        })
      case 'lose':
        return world.disconnect(step.peer)
      case 'arrive':
        if (step.peer === 'self' || world.connected.has(step.peer)) return
        world.connected.add(step.peer)
        return world.input({ type: 'connected', peerId: step.peer })
      case 'move':
        world.addresses.set(step.address, { peerId: step.peer })
        return
      case 'refuse':
        world.addresses.set(step.address, 'refuses')
        return
      case 'vanish':
        world.addresses.delete(step.address)
        return
      case 'want':
        return world.input({ type: 'wanted', peerIds: step.peers })
      case 'forgive':
        return world.input({ type: 'forgive' })
      case 'self':
        return world.input({ type: 'self', addresses: step.addresses })
      case 'wait':
        return world.runFor(step.ms)
    }
  }

  // The world itself throws on a second dial to one key, on a dial to a connected peer, and on a deadline in the past.
  it('whatever happens: caps hold, nobody is dialled twice at once, and every wanted peer that can be reached is reached', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), fc.integer(), (actions, seed) => {
        const world = new PlannerWorld({ seed })
        for (const step of actions) perform(world, step)
        for (const { target } of world.dialled) {
          expect(target.peerId).not.toBe('self')
          expect(target.addresses.length).toBeGreaterThan(0)
          expect(target.addresses.length).toBeLessThanOrEqual(8)
          expect(new Set(target.addresses).size).toBe(target.addresses.length)
        }
        expect(world.inFlightMost).toBeLessThanOrEqual(defaultDialPolicy.concurrentMax)
        // From here the world is kind: each wanted peer lives alone at one address, of which mDNS speaks.
        world.addresses.clear()
        world.input({ type: 'wanted', peerIds: peers })
        for (const [i, peerId] of peers.entries()) {
          world.addresses.set(at(500 + i), { peerId })
          world.hint('mdns', peerId, at(500 + i))
        }
        world.runFor(defaultDialPolicy.wantedRefusedMaxMs + defaultDialPolicy.refusedMaxMs)
        expect([...world.connected].filter((peerId) => peers.includes(peerId)).toSorted()).toEqual(peers)
      }),
      { numRuns: 300 }
    )
  })

  it('whatever is passed over without a plan would have dialled nobody: asking once more in the same moment does not either', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), fc.integer(), (actions, seed) => {
        const world = new PlannerWorld({ seed })
        for (const step of actions) {
          perform(world, step)
          const { length } = world.dialled
          world.input({ type: 'tick' })
          expect(world.dialled.slice(length)).toEqual([])
        }
      }),
      { numRuns: 300 }
    )
  })

  it('the same inputs give the same dials', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), fc.integer(), (actions, seed) => {
        const [one, two] = [new PlannerWorld({ seed }), new PlannerWorld({ seed })]
        for (const step of actions) perform(one, step)
        for (const step of actions) perform(two, step)
        expect(two.transcript).toEqual(one.transcript)
      }),
      { numRuns: 50 }
    )
  })
})
