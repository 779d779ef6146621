/** Frames of a cluster that this node has not joined yet: they wait for the latch, within bounds, and for one session. */
import { describe, expect, it } from 'vitest'
import { fromHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/hash.ts'
import { decodeFormationState } from '../../src/formation/index.ts'
import { FORMATION_CELL } from '../../src/replica/durable.ts'
import { decodeFrame, encodeFrame, type Frame, type FrameScope } from '../../src/replica/index.ts'
import type { ReplicaSend } from '../../src/replica/types.ts'
import { fakeCrypto } from '../formation/fake-crypto.ts'
import { VirtualCluster } from './virtual-cluster.ts'

/** A founding that p3 has missed: its certificate, and how the others frame what they say. */
function foundedWithout(): { certificate: Uint8Array; scope: FrameScope } {
  const cluster = VirtualCluster.formed({ size: 3, seed: 1 })
  const cell = cluster.nodes.get('p2')!.disk.cells.get(FORMATION_CELL)!
  const { certificate } = decodeFormationState(cell, fakeCrypto.readClaim)
  const scope: FrameScope = {
    domainId: sha256(utf8('test domain')),
    clusterId: fromHex(cluster.life('p2').replica.status().clusterId!),
    generation: 1,
    readClaim: fakeCrypto.readClaim
  }
  const frame: Frame = { kind: 'formation', message: { type: 'certificate', certificate: certificate! } }
  return { certificate: encodeFrame(frame, scope), scope }
}

/** p3 waits for p1; p2 is there. */
function waiting(): VirtualCluster {
  const cluster = new VirtualCluster({ size: 3, seed: 2 })
  cluster.start('p3')
  cluster.start('p2')
  cluster.connect('p3', 'p2')
  cluster.run(100)
  return cluster
}

/** Tells p3 of the certificate and lets its writes become durable; gives what it sent. */
function latch(cluster: VirtualCluster, certificate: Uint8Array): readonly ReplicaSend[] {
  const { replica } = cluster.life('p3')
  const sends: ReplicaSend[] = []
  const inputs = [{ type: 'frame', from: 'p2', frame: certificate } as const]
  for (const input of inputs as Parameters<typeof replica.step>[0][]) {
    const effects = replica.step(input, cluster.now)
    sends.push(...effects.sends)
    for (const { id } of effects.writes) (inputs as unknown[]).push({ type: 'persisted', write: id })
  }
  expect(replica.status().clusterId).toBeDefined()
  return sends
}

const answersIn = (sends: readonly ReplicaSend[], scope: FrameScope): number =>
  sends.filter(({ frame }) => decodeFrame(frame, scope).kind === 'answer').length

const question: Frame = { kind: 'forward', requestId: new Uint8Array(16).fill(1), operation: { op: 'read' } }

describe('early frames', () => {
  it('are heard when the latch is durable', () => {
    const { certificate, scope } = foundedWithout()
    const cluster = waiting()
    cluster.input('p3', { type: 'frame', from: 'p2', frame: encodeFrame(question, scope) })
    expect(answersIn(latch(cluster, certificate), scope)).toBe(1)
  })

  it('of a session that has ended are not taken for the next incarnation’s', () => {
    const { certificate, scope } = foundedWithout()
    const cluster = waiting()
    cluster.input('p3', { type: 'frame', from: 'p2', frame: encodeFrame(question, scope) })
    cluster.crash('p2')
    cluster.add('p2', 2, 2)
    cluster.start('p2')
    cluster.connect('p3', 'p2')
    expect(answersIn(latch(cluster, certificate), scope)).toBe(0)
  })

  it('that are no frames of any cluster are refused at once and take nobody’s place', () => {
    const { certificate, scope } = foundedWithout()
    const cluster = waiting()
    for (let i = 0; i < 200; i++) cluster.input('p3', { type: 'frame', from: 'p2', frame: utf8(`rubbish ${i}`) })
    expect(cluster.life('p3').events.filter(({ type }) => type === 'frame-refused')).toHaveLength(200)
    cluster.input('p3', { type: 'frame', from: 'p2', frame: encodeFrame(question, scope) })
    expect(answersIn(latch(cluster, certificate), scope)).toBe(1)
  })

  it('without a certificate, for long, end the session: the next one brings it', () => {
    const { certificate, scope } = foundedWithout()
    const unwelcome = (cluster: VirtualCluster): number =>
      cluster.life('p3').events.filter(({ type }) => type === 'unwelcome').length
    const cluster = waiting()
    cluster.input('p3', { type: 'frame', from: 'p2', frame: encodeFrame(question, scope) })
    cluster.run(1_900)
    expect(unwelcome(cluster)).toBe(0)
    cluster.run(200)
    expect(unwelcome(cluster)).toBe(1)
    cluster.run(10_000)
    expect(unwelcome(cluster)).toBe(1)

    const lucky = waiting()
    lucky.input('p3', { type: 'frame', from: 'p2', frame: encodeFrame(question, scope) })
    latch(lucky, certificate)
    lucky.run(10_000)
    expect(unwelcome(lucky)).toBe(0)
  })

  it('end no session while the certificate is being written, however slow the disk', () => {
    const cluster = new VirtualCluster({ size: 3, seed: 1, slowDisks: { p3: 3_000 } })
    for (const name of cluster.names) cluster.start(name)
    cluster.connectAll()
    cluster.runUntil(() => cluster.life('p3').replica.status().config !== undefined, 60_000)
    expect(cluster.now).toBeGreaterThan(6_000)
    expect(cluster.life('p3').events.filter(({ type }) => type === 'unwelcome')).toEqual([])
  })

  it('are bounded in number and in bytes', () => {
    const { scope } = foundedWithout()
    const large: Frame = { ...question, operation: { op: 'command', data: new Uint8Array(400 * 1024) } }
    for (const [frame, kept] of [
      [large, 2],
      [question, 64]
    ] as const) {
      const cluster = waiting()
      for (let i = 0; i < 100; i++) cluster.input('p3', { type: 'frame', from: 'p2', frame: encodeFrame(frame, scope) })
      expect(cluster.life('p3').events.filter(({ type }) => type === 'frame-refused')).toHaveLength(100 - kept)
    }
  })
})
