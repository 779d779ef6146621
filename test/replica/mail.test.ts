/** What leaves, to whom, and as which bytes; and what waits until the cluster that it speaks of is founded here. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Admitted } from '../../src/membership/admission.ts'
import { decodeFrame, encodeFrame, type Frame, type FrameScope } from '../../src/replica/frames.ts'
import type { ReplicaInit } from '../../src/replica/init.ts'
import { Mail } from '../../src/replica/mail.ts'
import { Outbox } from '../../src/replica/outbox.ts'
import { Sessions } from '../../src/replica/sessions.ts'
import type { ReplicaEffects } from '../../src/replica/types.ts'
import type { RaftMessage } from '../../src/raft/messages.ts'

const clusterId = new Uint8Array(32).fill(2)
const scope: FrameScope = {
  domainId: new Uint8Array(32).fill(1),
  clusterId,
  generation: 1,
  readClaim: () => undefined
}
const commit: RaftMessage = { type: 'commit', term: 1, commit: 4 }
const question: Frame = { kind: 'forward', requestId: new Uint8Array(16).fill(1), operation: { op: 'read' } }

let outbox: Outbox
let sessions: Sessions
let mail: Mail

beforeEach(() => {
  const { domainId, generation, readClaim } = scope
  outbox = new Outbox()
  sessions = new Sessions('me', () => undefined)
  mail = new Mail({ domainId, generation, crypto: { readClaim } } as unknown as ReplicaInit, outbox, sessions)
})

const open = (peerId: string): void =>
  sessions.open({ peerId, incarnation: `${peerId}#1`, priority: 1 } as unknown as Admitted)
const flush = (): ReplicaEffects => outbox.flush(undefined)

describe('what leaves', () => {
  beforeEach(() => {
    mail.clusterId = clusterId
  })

  it('goes to whoever has a session', () => {
    open('a')
    mail.send('a', question)
    mail.send('b', question)
    expect(flush().sends.map(({ to, after }) => [to, after])).toEqual([['a', 0]])
  })

  it('of formation and consensus goes to whoever is heard', () => {
    for (const peer of ['a', 'b']) open(peer)
    mail.heard.add('a#1')
    const piece: Frame = { kind: 'snapshot-progress', digest: new Uint8Array(32), received: 0, state: 'more' }
    for (const id of ['a#1', 'b#1']) {
      mail.sendHeard(id, question, 3)
      mail.sendRaft(id, commit, 4)
      mail.sendBulk(id, piece)
    }
    const { sends, bulk } = flush()
    expect(sends.map(({ to, after, frame }) => [to, after, decodeFrame(frame, scope).kind])).toEqual([
      ['a', 3, 'forward'],
      ['a', 4, 'raft']
    ])
    expect(bulk.map(({ to, frame }) => [to, decodeFrame(frame, scope)])).toEqual([['a', piece]])
  })

  it('says of entries and commits what they are, for whoever decides which to give up', () => {
    open('a')
    mail.heard.add('a#1')
    const append: RaftMessage = { type: 'append', term: 1, prevIndex: 0, prevTerm: 0, commit: 0, entries: [] }
    for (const message of [
      commit,
      append,
      { type: 'heartbeat', term: 1, commit: 0, seq: 1, waitMs: 0, heir: 0 } as const
    ])
      mail.sendRaft('a#1', message, 0)
    expect(flush().sends.map(({ tells }) => tells)).toEqual(['notice', 'append', undefined])
  })

  it('becomes bytes once for all who are told the same', () => {
    for (const peer of ['a', 'b']) {
      open(peer)
      mail.heard.add(`${peer}#1`)
    }
    for (const id of ['a#1', 'b#1']) mail.sendRaft(id, commit, 0)
    for (const peer of ['a', 'b']) mail.send(peer, question)
    mail.sendRaft('a#1', { ...commit }, 0)
    const frames = flush().sends.map(({ frame }) => frame)
    expect(frames[1]).toBe(frames[0])
    expect(frames[3]).toBe(frames[2])
    expect(frames[4]).not.toBe(frames[0])
    expect(frames[4]).toEqual(frames[0])
  })
})

describe('what comes before its cluster is founded here', () => {
  const early = encodeFrame(question, scope)

  it('waits, and is asked for from the first of it on; with nothing there is nothing to wait for', () => {
    expect([mail.deadline(), mail.overdue(1e9)]).toEqual([undefined, []])
    expect(mail.read('a', early, 100)).toBeUndefined()
    const since = mail.deadline()!
    mail.read('b', early, 900)
    mail.read('a', early, 950)
    expect([mail.deadline(), since]).toEqual([since, 2_100])
    expect([mail.overdue(since - 1), mail.overdue(since)]).toEqual([[], ['a', 'b']])
    expect(mail.deadline()).toBe(since + 2_000)
    expect(flush().events).toEqual([])
  })

  it('of a session that ends is gone, and of others is not', () => {
    for (const from of ['a', 'b', 'a']) mail.read(from, early, 0)
    mail.sessionClosed('a')
    expect(mail.takeEarly().map(({ from }) => from)).toEqual(['b'])
    expect([mail.takeEarly(), mail.deadline()]).toEqual([[], undefined])
  })

  it('may be as many bytes as have room, and not one more', () => {
    const withBytes = (bytes: number): Uint8Array => {
      const over = encodeFrame({ ...question, operation: { op: 'command', data: new Uint8Array(300_000) } }, scope)
      const data = new Uint8Array(300_000 + bytes - over.byteLength)
      return encodeFrame({ ...question, operation: { op: 'command', data } }, scope)
    }
    const half = withBytes(512 * 1024)
    expect(half.byteLength).toBe(512 * 1024)
    for (const from of ['a', 'b']) mail.read(from, half, 0)
    expect(flush().events).toEqual([])
    mail.read('c', early, 0)
    expect(flush().events).toMatchObject([{ type: 'frame-refused', peerId: 'c' }])
    expect(mail.takeEarly()).toHaveLength(2)
  })
})
