/** Members come, change their role and go, as real processes: lost disks, disks that were set back, and what operators ask. */
import { cp, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MemberInfo, NodeStatus, StampedNodeEvent } from '../../src/index.ts'
import { eventually } from '../admin/eventually.ts'
import { founding, type NodeProcess, run, Yard } from './processes.ts'

let yard: Yard

beforeEach(async () => {
  yard = await Yard.open()
})

afterEach(async () => {
  await yard.close()
})

interface Cluster {
  readonly names: readonly string[]
  readonly nodes: Map<string, NodeProcess>
  readonly tokens: ReadonlyMap<string, string>
}

async function cluster(name: string, size: number, args: readonly string[] = []): Promise<Cluster> {
  const { tokens } = await founding(name, size)
  const names = tokens.map((_, i) => `n${i + 1}`)
  const nodes = new Map(names.map((node, i) => [node, yard.start(node, { token: tokens[i]!, args })]))
  await Promise.all([...nodes.values()].map((node) => node.ready()))
  return { names, nodes, tokens: new Map(names.map((node, i) => [node, tokens[i]!])) }
}

const peerOf = (node: NodeProcess): string => node.events[0]!.node

const ask = async <T>(node: string, ...words: readonly string[]): Promise<T> => {
  const { code, stdout, stderr } = await run(...words, '--json', '--data', yard.data(node))
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as T
}

/** On a busy machine leadership may move at any time. */
const VOTES = /follower|candidate|leader/

const statusOf = (node: string): Promise<NodeStatus> => ask<NodeStatus>(node, 'status')

const refusal = async (node: string, ...words: readonly string[]): Promise<Record<string, unknown>> => {
  const { code, stdout, stderr } = await run(...words, '--json', '--data', yard.data(node))
  expect([code, stdout], words.join(' ')).toEqual([3, ''])
  return (JSON.parse(stderr.trimEnd().split('\n').at(-1)!) as { error: Record<string, unknown> }).error
}

/** The key stays, the disk is gone: what a machine is after its log was lost. */
async function loseDisk(node: string): Promise<void> {
  for (const name of ['wal', 'store-id']) await rm(join(yard.data(node), name), { recursive: true })
}

const is =
  (role: string, peer: string) =>
  (event: StampedNodeEvent): boolean =>
    event.event === 'member' && event.peer === peer && event.role === role

const leads = (node: NodeProcess): boolean => {
  const last = node.events.findLast((event) => event.event === 'leader')
  return last?.leader === peerOf(node)
}

describe('a machine that lost its disk', () => {
  it('comes back as a learner by itself, says so, and has its vote again when it is replaced', async () => {
    // The log is cut so early that the machine cannot come by it any other way than by a snapshot.
    const { names, nodes } = await cluster('lost', 3, ['--snapshot-every', '2'])
    const name = names.find((each) => !leads(nodes.get(each)!))!
    const [leader] = names.filter((each) => leads(nodes.get(each)!))
    const peer = peerOf(nodes.get(name)!)
    for (const limit of [5, 6, 7]) await ask(leader!, 'config', 'set', `{"limit":${limit}}`)
    await nodes.get(name)!.kill()
    await loseDisk(name)
    const reborn = yard.start(name)
    expect(await reborn.ready()).toMatchObject({ configVersion: 4 })
    const kept = await readdir(join(yard.data(name), 'wal'))
    expect(kept.filter((file) => file.endsWith('.snapshot'))).not.toEqual([])

    const learner = await statusOf(name)
    expect(learner).toMatchObject({ role: 'learner', config: { version: 4 }, waitingFor: [] })
    expect(learner.advice).toEqual([expect.stringMatching(`\`quorate replace --data \\S+ ${peer}\``)])
    const rows = learner.members.filter(({ peerId }) => peerId === peer)
    expect(rows.map(({ role, connected }) => [role, connected])).toEqual([
      ['voter', false],
      ['learner', true]
    ])
    expect((await statusOf(leader!)).advice).toEqual([expect.stringContaining(`${peer} came back with an empty disk`)])
    // One vote a machine: the old disk has it until somebody says otherwise.
    expect(await refusal(leader!, 'promote', peer)).toMatchObject({
      name: 'RequestRefusedError',
      reason: 'invalid-change'
    })

    const { members } = await ask<{ members: readonly MemberInfo[] }>(name, 'replace', peer)
    expect(members.filter(({ role }) => role === 'voter')).toHaveLength(3)
    expect(members.find(({ self }) => self)).toMatchObject({ peerId: peer, role: 'voter' })
    expect(members).toHaveLength(3)
    await eventually(async () => (await statusOf(leader!)).advice).toEqual([])
    // Its vote counts: with the leader gone, it and the third decide.
    await nodes.get(leader!)!.kill()
    await ask(name, 'config', 'set', '{"limit":8}', '--timeout', '30s')
  })
})

describe('a disk that was set back', () => {
  it('is known by its boot counter, told why nobody hears it, and comes back with an empty one', async () => {
    const { names, nodes } = await cluster('setback', 3)
    const name = names.find((each) => !leads(nodes.get(each)!))!
    const peer = peerOf(nodes.get(name)!)
    await nodes.get(name)!.stop()
    await cp(yard.data(name), yard.data('snapshot'), { recursive: true })
    const second = yard.start(name)
    await second.ready()
    await second.stop()
    await rm(yard.data(name), { recursive: true })
    await cp(yard.data('snapshot'), yard.data(name), { recursive: true })
    const barred = yard.start(name)
    const alarm = await barred.until('the alarm', (event) => event.event === 'alarm' && event.code === 'rolled-back')
    expect(alarm).toMatchObject({ detail: expect.stringMatching(`\`quorate replace --data \\S+ ${peer}\``) as unknown })
    const status = await statusOf(name)
    expect(status).toMatchObject({ role: null, waitingFor: [expect.stringContaining('an empty disk')] })
    const other = names.find((each) => each !== name)!
    await eventually(async () => (await statusOf(other)).advice).toEqual([
      expect.stringMatching(new RegExp(`^${peer}#.*boot \\d+ .*boot \\d+ .*its disk was set back`))
    ])
    await barred.stop()
    await loseDisk(name)
    await yard.start(name).ready()
    await ask(name, 'replace', peer)
    expect((await statusOf(name)).role).toMatch(VOTES)
  })
})

describe('a data directory that was copied', () => {
  it('has no vote in either place; both are told, anybody can check the proof, and one of them comes back', async () => {
    const { names, nodes } = await cluster('copied', 3)
    const name = names.find((each) => !leads(nodes.get(each)!))!
    const [first, second] = names.filter((each) => each !== name) as [string, string]
    const peer = peerOf(nodes.get(name)!)
    await nodes.get(name)!.stop()
    await cp(yard.data(name), yard.data('copy'), { recursive: true })
    const twins = [yard.start(name), yard.start('copy')]
    const about = (code: RegExp) => (event: StampedNodeEvent) => event.event === 'alarm' && code.test(event.code)
    for (const each of [first, second]) {
      const alarm = await nodes.get(each)!.until('the alarm', about(/^(?:clone|rolled-back)$/))
      expect(alarm).toMatchObject({ statements: [expect.any(String), expect.any(String)] })
    }
    // By whoever has let it in, or at the door, where the other one is known already.
    const isTold = (event: StampedNodeEvent): boolean =>
      about(/^(?:clone|rolled-back)$/)(event) ||
      (event.event === 'peer' && event.status === 'refused' && event.code === 'clone')
    await Promise.all(twins.map((twin) => twin.until('being told', isTold)))
    const barred = (each: string) => async () => (await statusOf(each)).barred.map(({ peerId }) => peerId)
    for (const each of [first, second]) await eventually(barred(each)).toEqual([peer])
    // Anybody can check it, without a cluster.
    const { statements } = (await statusOf(first)).barred[0]!
    const file = join(yard.path, 'proof')
    await writeFile(file, `${statements.join('\n')}\n`)
    const inspected = await run('inspect', file, '--json')
    expect(inspected.code).toBe(0)
    expect(JSON.parse(inspected.stdout)).toMatchObject({ type: 'boot-statements', verified: 'yes' })
    // Two voters of three are left, and both are needed.
    await ask(first, 'config', 'set', '{"limit":3}')
    await Promise.all(twins.map((twin) => twin.kill()))
    await loseDisk(name)
    await yard.start(name).ready()
    await ask(name, 'replace', peer)
    expect((await statusOf(name)).role).toMatch(VOTES)
    expect(await barred(first)()).toEqual([peer])
  })
})

describe('a machine with a join token', () => {
  it('made offline, comes in by itself and gets its vote; a copy is refused everywhere; an observer only receives', async () => {
    const out = join(yard.path, 'papers')
    expect((await run('init', '--name', 'joined', '--seats', '3', '--out', out, '--plaintext-key')).code).toBe(0)
    const nodes = [1, 2, 3].map((seat) => yard.start(`n${seat}`, { token: join(out, `seat-${seat}.token`) }))
    await Promise.all(nodes.map((node) => node.ready()))
    const papers = ['--genesis', join(out, 'genesis.cose'), '--key', join(out, 'issuer.key')]
    const token = async (...words: readonly string[]): Promise<string> => {
      const { stdout } = await run('token', 'create', ...papers, ...words, '--json')
      return (JSON.parse(stdout) as { token: string }).token
    }
    const ticket = await token('--role', 'voter')
    const fourth = yard.start('n4', { token: ticket })
    await fourth.ready()
    const peer = peerOf(fourth)
    await fourth.until('its vote', is('voter', peer))
    const done = fourth.events.filter((event) => event.event === 'stage' && event.status === 'done')
    expect(done).toHaveLength(8)
    await nodes[0]!.until('the vote of the fourth', is('voter', peer))
    expect((await statusOf('n4')).role).toMatch(VOTES)

    // Somebody else with the same line.
    const copy = yard.start('n5', { token: ticket })
    const refused = await copy.until(
      'being refused',
      (event) => event.event === 'peer' && event.status === 'refused' && event.code === 'token-already-used'
    )
    expect(refused).toMatchObject({ source: 'them', detail: expect.stringContaining(peer) as unknown })
    await copy.stop()

    const observer = yard.start('n6', { token: await token('--role', 'observer') })
    await observer.ready()
    expect(await statusOf('n6')).toMatchObject({ role: 'learner', advice: [], waitingFor: [] })
    expect(await refusal('n1', 'promote', peerOf(observer))).toMatchObject({ reason: 'invalid-change' })
    expect(await refusal('n6', 'config', 'set', '{}')).toMatchObject({ reason: 'observer' })
    expect((await ask<{ version: number }>('n6', 'config', 'get')).version).toBe(1)

    // Started again it needs no token, and it is a voter that counts: two of four may not go, one may.
    await fourth.stop()
    await yard.start('n4').ready()
    await nodes[2]!.kill()
    await ask('n4', 'config', 'set', '{"limit":2}', '--timeout', '30s')
    // The machine that it was is replaced by it for good.
    await ask('n4', 'remove', peerOf(nodes[2]!))
    expect((await ask<readonly MemberInfo[]>('n1', 'members')).filter(({ role }) => role === 'voter')).toHaveLength(3)
  })
})

describe('an operator', () => {
  it('demotes, promotes and removes; who is removed says so and keeps still; what would lose the quorum is refused', async () => {
    const { names, nodes } = await cluster('operator', 4)
    const [leader] = names.filter((each) => leads(nodes.get(each)!))
    const [a, b, c] = names.filter((each) => each !== leader) as [string, string, string]
    const peer = (name: string): string => peerOf(nodes.get(name)!)

    await ask(a, 'demote', peer(b))
    await nodes.get(b)!.until('the demotion', is('learner', peer(b)))
    expect((await statusOf(b)).advice).toEqual([expect.stringMatching(`\`quorate promote --data \\S+ ${peer(b)}\``)])
    await ask(b, 'promote', peer(b))
    expect((await statusOf(b)).role).toMatch(VOTES)

    await ask(a, 'remove', peer(c))
    await nodes.get(c)!.until('the removal', (event) => event.event === 'alarm' && event.code === 'removed')
    expect(await statusOf(c)).toMatchObject({
      role: null,
      waitingFor: [expect.stringContaining('no longer a member')]
    })
    expect(await refusal(c, 'remove', peer(a))).toMatchObject({ reason: 'removed' })
    // Started again, it is told again, and nobody takes it in.
    await nodes.get(c)!.stop()
    const again = yard.start(c)
    await again.until('being told', (event) => event.event === 'alarm' && event.code === 'removed')
    expect(
      (await ask<readonly MemberInfo[]>(leader!, 'members')).find(({ peerId }) => peerId === peer(c))
    ).toMatchObject({
      role: 'observer'
    })

    await nodes.get(b)!.kill()
    for (const name of [leader!, a]) {
      const isThere = async (): Promise<boolean | undefined> =>
        (await statusOf(name)).members.find(({ peerId }) => peerId === peer(b))?.connected
      await eventually(isThere).toBe(false)
    }
    const error = await refusal(leader!, 'remove', peer(a))
    expect(error).toMatchObject({ name: 'RequestRefusedError', reason: 'would-lose-quorum' })
    expect(error['message']).toContain(
      `removing ${peer(a)} leaves 2 voters of which 1 is reachable, and 2 are needed (not reachable: ${peer(b)}#`
    )
    // Who has failed may go, and then the leader may hand over and go as well.
    await ask(leader!, 'remove', peer(b))
    await ask(a, 'remove', peer(leader!))
    await eventually(async () => (await statusOf(a)).writable).toBe(true)
    const { members } = await statusOf(a)
    expect(members.filter(({ role }) => role === 'voter').map(({ peerId }) => peerId)).toEqual([peer(a)])
  })
})
