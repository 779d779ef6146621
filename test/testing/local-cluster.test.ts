import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { QuorateNode } from '../../src/node/types.ts'
import { createLocalCluster, LocalClusterTimeoutError } from '../../src/testing/index.ts'

/** Waits are for events; this is for a machine that does much else. */
const patient = { timeoutMs: 20_000 }

const others = <T>(all: readonly T[], one: T): readonly T[] => all.filter((each) => each !== one)

describe('a local cluster', () => {
  it('forms, decides, and goes on without its leader', async () => {
    await using cluster = await createLocalCluster({ nodes: 5, config: { limit: 1 } })
    await cluster.ready(patient)
    expect(new Set(cluster.nodes.map(({ clusterId }) => clusterId)).size).toBe(1)
    expect((await cluster.agreed(patient)).value).toEqual({ limit: 1 })

    await cluster.nodes[3]!.config.set({ limit: 2 }, { ifVersion: 1 })
    const old = await cluster.leader(patient)
    const { term } = old.leader!
    await cluster.crash(old)
    await cluster.crash(old)
    expect(cluster.isRunning(old)).toBe(false)

    const next = await cluster.leader(patient)
    expect(next).not.toBe(old)
    expect(next.leader!.term).toBeGreaterThan(term)
    expect((await next.config.read()).value).toEqual({ limit: 2 })
    await next.config.set({ limit: 3 }, { ifVersion: 2 })

    const place = cluster.nodes.indexOf(old)
    const again = await cluster.restart(old)
    expect(again.peerId).toBe(old.peerId)
    expect(cluster.nodes[place]).toBe(again)
    await cluster.ready(patient)
    expect((await cluster.agreed({ ...patient, version: 3 })).value).toEqual({ limit: 3 })
    expect(cluster.nodes.every((_, i) => cluster.isRunning(i))).toBe(true)
    await expect(cluster.stop(old)).rejects.toThrow('was restarted since')

    const { dataDir } = cluster
    await cluster.close()
    expect(existsSync(dataDir)).toBe(false)
    await expect(cluster.restart(0)).rejects.toThrow('the cluster is closed')
  })

  it('brings a node that missed what was cut off the logs back by a snapshot, which both keep', async () => {
    await using cluster = await createLocalCluster({ snapshots: { entriesMax: 6, trailingEntriesMax: 2 } })
    await cluster.ready(patient)
    const leader = await cluster.leader(patient)
    const away = others(cluster.nodes, leader)[0]!
    const place = cluster.nodes.indexOf(away)
    await cluster.crash(away)
    // Versions stay in the state, so it is some megabytes in the end, in many pieces.
    const filler = 'x'.repeat(150_000)
    for (let version = 2; version <= 25; version++) {
      await leader.config.set({ version, filler }, { signal: AbortSignal.timeout(patient.timeoutMs) })
    }
    const back = await cluster.restart(place)
    expect((await cluster.agreed({ ...patient, version: 25 })).value).toEqual({ version: 25, filler })
    expect(back.config.history().map(({ hash }) => hash)).toEqual(leader.config.history().map(({ hash }) => hash))
    const saved = async (node: number): Promise<boolean> =>
      (await readdir(join(cluster.dataDir, `node-${node}`, 'wal'))).some((name) => name.endsWith('.snapshot'))
    expect(await Promise.all(cluster.nodes.map((_, i) => saved(i)))).toEqual([true, true, true])
    // It starts from what it was sent, and the others from what they saved.
    for (const i of [0, 1, 2]) await cluster.crash(i)
    for (const i of [0, 1, 2]) await cluster.restart(i)
    await cluster.ready(patient)
    expect((await cluster.agreed({ ...patient, version: 25 })).value).toEqual({ version: 25, filler })
  })

  it('lets a minority decide nothing, and agrees when the cables are mended', async () => {
    await using cluster = await createLocalCluster({ nodes: 5 })
    await cluster.ready(patient)
    const old = await cluster.leader(patient)
    const [ally, ...majority] = others(cluster.nodes, old)
    cluster.partition([[old, ally!], majority])

    const next = await cluster.leader(patient)
    expect(majority).toContain(next)
    await next.config.set({ side: 'majority' }, {})
    for (const node of [old, ally!]) {
      const asked = node.config.set({ side: 'minority' }, { signal: AbortSignal.timeout(100) })
      await expect(asked).rejects.toMatchObject({ code: 'ERR_NO_QUORUM' })
      expect(node.config.get()!.version).toBe(1)
    }
    // Cut off from everybody, also whoever starts only now.
    cluster.partition([[ally!], [old], majority])
    const alone = await cluster.restart(ally!)
    await expect(alone.ready({ signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ code: 'ERR_NOT_READY' })

    cluster.repair()
    expect((await cluster.agreed({ ...patient, version: 2 })).value).toEqual({ side: 'majority' })
  })

  it('takes further machines, and lets everything take its time', async () => {
    await using cluster = await createLocalCluster({ nodes: 1, delayMs: 5 })
    await cluster.ready(patient)
    const second = await cluster.add()
    const third = await cluster.add({ role: 'observer' })
    await cluster.ready(patient)
    const roleOf = (peerId: string): string | undefined =>
      cluster.nodes[0]!.members().find((member) => member.peerId === peerId)?.role
    await cluster.until('the vote of the second', () => roleOf(second.peerId) === 'voter', patient)
    expect(roleOf(third.peerId)).toBe('learner')

    const before = performance.now()
    await cluster.nodes[0]!.config.read()
    // To the second node and back: without it nothing can be decided any more.
    expect(performance.now() - before).toBeGreaterThanOrEqual(9)
    cluster.delay(0)
    await cluster.nodes[0]!.config.set({ limit: 2 }, {})
    await cluster.agreed({ ...patient, version: 2 })
  })

  it('gives nodes their priorities: a last resort does not lead while somebody else can', async () => {
    await using cluster = await createLocalCluster({ priorities: [100, 0, 300] })
    await cluster.ready(patient)
    const [first, , third] = cluster.nodes
    const willing = [first!, third!]
    const leads = (node: QuorateNode): boolean => node.status().writable
    const leader = await cluster.until('a leader that would lead', () => willing.find(leads), patient)
    const known = (): boolean => leader.members().every(({ connected }) => connected)
    await cluster.until('that all are connected', known, patient)
    expect(leader.members().map(({ priority }) => priority)).toEqual([100, 0, 300])
    const next = await leader.transfer({ signal: AbortSignal.timeout(patient.timeoutMs) })
    expect(next.peerId).toBe(others(willing, leader)[0]!.peerId)
    const successor = await cluster.leader(patient)
    // Whoever has heard from a majority has put them in an order.
    await successor.config.read({ signal: AbortSignal.timeout(patient.timeoutMs) })
    expect(successor.members().map(({ heir }) => heir)).toContain(1)
  })

  it('says how every node stands when something does not come', async () => {
    await using cluster = await createLocalCluster({ nodes: 2 })
    await cluster.ready(patient)
    const leader = await cluster.leader(patient)
    await cluster.stop(others(cluster.nodes, leader)[0]!)
    const waiting = cluster.leader({ timeoutMs: 150 })
    await expect(waiting).rejects.toBeInstanceOf(LocalClusterTimeoutError)
    await expect(waiting).rejects.toThrow(/a leader: not within 150 ms\n {2}node \d .*\n {2}node \d /)
    await expect(waiting).rejects.toThrow('is down')
    const given = new Error('enough')
    await expect(cluster.leader({ signal: AbortSignal.abort(given) })).rejects.toBe(given)
  })

  it('keeps what was to be kept, and refuses what makes no sense', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'quorate-test-'))
    try {
      const cluster = await createLocalCluster({ nodes: 2, dataDir: join(folder, 'mine') })
      await cluster.ready(patient)
      expect(() => cluster.partition([[0], [1, 0]])).toThrow('node 0 is in two groups')
      expect(() => cluster.partition([[7]])).toThrow('there is no node 7; the cluster has the nodes 0 to 1')
      expect(() => cluster.delay(-1)).toThrow('delayMs is -1')
      await cluster.close()
      expect((await readdir(join(folder, 'mine'))).toSorted()).toEqual(['node-0', 'node-1'])

      await writeFile(join(folder, 'precious'), '')
      await expect(createLocalCluster({ dataDir: folder })).rejects.toThrow('is not empty')
      for (const nodes of [0, 10, 2.5]) {
        await expect(createLocalCluster({ nodes })).rejects.toThrow('1 to 9 founders')
      }
      await expect(createLocalCluster({ timing: 'moon' as 'lan' })).rejects.toThrow('timing is moon')
      await expect(createLocalCluster({ seed: 1 } as object)).rejects.toThrow('unknown option seed')
      await expect(createLocalCluster({ delayMs: Number.NaN })).rejects.toThrow('delayMs is NaN')
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})
