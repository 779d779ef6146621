/** The rows of the list of known holes that are not closed by consensus itself but by the rooms around it (holes.test.ts counts them). */
import { describe, expect } from 'vitest'
import { utf8 } from '../../src/core/bytes.ts'
import { seededRandom } from '../../src/core/random.ts'
import { BootMemory } from '../../src/membership/boots.ts'
import type { WriteBatch } from '../../src/storage/port.ts'
import { segmentPath } from '../../src/storage/wal/directory.ts'
import { World } from '../formation/world.ts'
import { makeStatement } from '../replica/fake-statements.ts'
import { VirtualCluster } from '../replica/virtual-cluster.ts'
import { createSimulatedDisk, openOn, walDirectory } from '../storage/harness.ts'
import { prefix, whole } from '../storage/simulated-disk.ts'
import type { SimulatedDisk, Tear } from '../storage/simulated-disk.ts'
import { hole } from './hole.ts'

/** Founders that have formed. */
function formed(seed: number, size = 3): VirtualCluster {
  const cluster = new VirtualCluster({ size, seed })
  for (const name of cluster.names) cluster.start(name)
  cluster.connectAll()
  cluster.runUntil(() => cluster.names.every((name) => cluster.life(name).replica.status().config !== undefined))
  return cluster
}

/** The machine starts again with its key and an empty disk. */
function wipe(cluster: VirtualCluster, name: string): void {
  cluster.wipe(name)
  cluster.start(name)
  cluster.connectAll()
}

describe('membership and identity', () => {
  hole(40, 'a member that lost its disk is nobody that an old configuration names, and never elects itself', () => {
    const cluster = formed(40)
    wipe(cluster, 'p3')
    cluster.run(2_000)
    const { clusterId } = cluster.life('p1').replica.status()
    expect(cluster.life('p3').replica.status()).toMatchObject({ clusterId, member: false })
    // It has learnt of the cluster and of its configurations; left alone with them it still does nothing.
    for (const name of ['p1', 'p2']) cluster.crash(name)
    cluster.run(5_000)
    expect(cluster.life('p3').replica.status()).toMatchObject({
      raft: { role: 'follower' },
      formation: { stage: 'formed' }
    })
    expect(cluster.life('p3').events.filter(({ type }) => type === 'campaign')).toEqual([])
  })

  hole(41, 'two data directories that run under one identity found nothing while both live', () => {
    const world = new World({ foundingSize: 2, random: seededRandom('hole 41') })
    world.add('a', 1)
    world.add('b', 2)
    world.add('copy', 2, 'b', 2)
    for (const name of ['a', 'b', 'copy']) world.start(name)
    world.run(20_000)
    expect(world.machine('b').conflicted && world.machine('copy').conflicted).toBe(true)
    expect([world.certified.size, world.violations]).toEqual([0, []])
  })

  hole(41, 'a second life of one disk is a clone while the first one lives', () => {
    const disk = { term: 3, votedFor: undefined, lastIndex: 9, commitIndex: 9, sequence: 0, seen: undefined }
    const life = { peerId: 'A', storeId: 's1', boot: 5, ...disk }
    const first = makeStatement({ ...life, bootNonce: 'n1' })
    const memory = new BootMemory('B#s2')
    expect(memory.note(first)).toBeUndefined()
    expect(memory.note(makeStatement({ ...life, bootNonce: 'n2' }), { live: first })).toMatchObject({ code: 'clone' })
    expect(memory.bar('A#s1')).toMatchObject({ proved: true })
  })

  hole(41, 'a node of another cluster at the address of a member changes nothing here', () => {
    const here = formed(41)
    const there = formed(41, 2)
    const leader = there.names.find((name) => there.life(name).replica.status().raft?.writable === true)!
    const request = { type: 'transfer', requestId: '1'.padStart(32, '0'), to: undefined } as const
    const { sends } = there.life(leader).replica.step({ type: 'request', request }, there.now)
    expect(sends.length).toBeGreaterThan(0)
    const before = here.life('p1').replica.status().raft
    for (const { frame } of sends) here.input('p1', { type: 'frame', from: 'p2', frame })
    expect(here.life('p1').replica.status().raft).toEqual(before)
    const refused = here.life('p1').events.filter(({ type }) => type === 'frame-refused')
    expect(refused).toHaveLength(sends.length)
  })

  hole(42, 'the vote of a machine that lost its disk is not that of the voter that it was', () => {
    const cluster = formed(43)
    const leader = cluster.names.find((name) => cluster.life(name).replica.status().raft?.writable === true)!
    const [survivor, wiped] = cluster.names.filter((name) => name !== leader)
    wipe(cluster, wiped!)
    cluster.run(1_000)
    cluster.crash(leader)
    cluster.run(10_000)
    // One voter of three is left; the wiped machine beside it gives it no majority.
    expect(cluster.life(survivor!).replica.status().raft?.role).toBe('pre-candidate')
    expect(cluster.life(wiped!).replica.status()).toMatchObject({ member: false })
  })
})

const batches: readonly WriteBatch[] = [
  { cells: [{ name: 'vote', value: utf8('term 1') }], entries: [{ index: 1, term: 1, type: 2, data: utf8('first') }] },
  { entries: [{ index: 2, term: 1, type: 2, data: utf8('second') }] },
  { entries: [{ index: 3, term: 1, type: 2, data: utf8('third') }] }
]

async function written(): Promise<SimulatedDisk> {
  const disk = await createSimulatedDisk()
  const log = await openOn(disk)
  for (const batch of batches) await log.write(batch)
  return disk
}

describe('the disk', () => {
  hole(46, 'a flipped bit in the middle of the log is damage, and is not cut away with what follows', async () => {
    const disk = await written()
    const inode = disk.durableNames.get(segmentPath(walDirectory, 1))!
    const at = Buffer.from(inode.durable).indexOf('second')
    expect(at).toBeGreaterThan(0)
    inode.durable[at]! ^= 1
    inode.cached[at]! ^= 1
    await expect(openOn(disk)).rejects.toMatchObject({ name: 'StorageCorruptError' })
  })

  hole(46, 'a torn write at the end was never acknowledged and is cut; all before it stays', async () => {
    const disk = await createSimulatedDisk()
    const log = await openOn(disk)
    for (const batch of batches) await log.write(batch)
    let unsynced: SimulatedDisk | undefined
    disk.onChange = (call) => {
      if (call === 'write') unsynced ??= disk.clone()
    }
    await log.write({ entries: [{ index: 4, term: 1, type: 2, data: utf8('fourth') }] })
    const indexes = async (tear: Tear): Promise<readonly number[]> =>
      (await openOn(unsynced!.afterPowerCut(tear, 0))).recovered.entries.map(({ index }) => index)
    expect(await indexes(prefix(20, false))).toEqual([1, 2, 3])
    expect(await indexes(whole)).toEqual([1, 2, 3, 4])
  })
})

describe('formation', () => {
  hole(57, 'two founding sets that share a machine, under partitions and restarts: one is founded', () => {
    let founded = 0
    for (let seed = 1; seed <= 200; seed++) {
      const random = seededRandom(`hole 57 ${seed}`)
      const world = new World({
        foundingSize: 2,
        random: random.fork('world'),
        pool: true,
        delayMs: [1, 8],
        writeMs: [0, 8]
      })
      // Three machines hold "2 of you found it": any two of them could.
      const names = ['a', 'b', 'c']
      for (const name of names) world.add(name, 0)
      for (const name of names) world.start(name)
      for (let i = 0; i < 8; i++) {
        const alone = names[random.int(0, 2)]!
        world.partition(
          [alone],
          names.filter((name) => name !== alone)
        )
        const victim = names[random.int(0, 2)]!
        world.run(random.int(0, 12))
        world.crash(victim)
        world.run(random.int(0, 6))
        world.start(victim)
      }
      world.heal()
      world.run(20_000)
      expect({ seed, violations: world.violations, sets: world.certified.size }).toEqual({
        seed,
        violations: [],
        sets: 1
      })
      founded += world.certified.size
    }
    expect(founded).toBe(200)
  })

  hole(57, 'halves of a founding set found nothing, however long they wait', () => {
    const world = new World({ foundingSize: 4, random: seededRandom('halves') })
    for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) world.add(name, i + 1)
    world.partition(['a', 'b'], ['c', 'd'])
    for (const name of ['a', 'b', 'c', 'd']) world.start(name)
    world.run(600_000)
    expect(world.certified.size).toBe(0)
    world.heal()
    world.run(20_000)
    expect([world.certified.size, world.violations]).toEqual([1, []])
  })

  hole(57, 'at 2N incarnations two disjoint sets are founded, as the stated bound says: the check can fail', () => {
    const world = new World({ foundingSize: 2, random: seededRandom('disjoint'), pool: true })
    for (const name of ['a', 'b', 'c', 'd']) world.add(name, 0)
    world.partition(['a', 'b'], ['c', 'd'])
    for (const name of ['a', 'b', 'c', 'd']) world.start(name)
    world.run(20_000)
    expect(world.certified.size).toBe(2)
  })
})
