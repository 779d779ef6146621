/** Each request gets one end: its outcome, its deadline, its signal, or the end of the node. */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Callers, REQUEST_DEADLINE_MS } from '../../src/node/callers.ts'
import { NodeStoppedError, NoQuorumError, OutcomeUnknownError } from '../../src/node/errors.ts'
import type { ClientOutcome, ClientRequest, ReplicaInput } from '../../src/replica/types.ts'
import { StorageFullError } from '../../src/storage/errors.ts'
import { manualClock } from '../transport/manual-clock.ts'

function setUp() {
  const clock = manualClock()
  const told: ReplicaInput[] = []
  const callers = new Callers(clock, () => ['a leader'])
  callers.connect((input) => told.push(input))
  const ends: string[] = []
  const ask = (requestId: string, signal?: AbortSignal): Promise<void> =>
    callers.request({ type: 'read', requestId }, signal).then(
      (outcome) => void ends.push(`${requestId} ${outcome.type} at ${clock.now()}`),
      (error: unknown) => void ends.push(`${requestId} ${(error as Error).name} at ${clock.now()}`)
    )
  return { clock, told, callers, ends, ask }
}

/** Of the event loop: every promise that can settle has. */
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

const done = (requestId: string): ClientOutcome => ({ type: 'done', requestId, leader: undefined })

describe('the deadline of requests', () => {
  it('is everybody’s own, by one timer for all', async () => {
    const { clock, callers, ends, ask } = setUp()
    const asked = [ask('a')]
    clock.advance(1_000)
    asked.push(ask('b'), ask('c'), ask('signalled', new AbortController().signal))
    clock.advance(1_000)
    asked.push(ask('d'))
    expect(clock.pending).toBe(1)
    callers.settle(done('c'))
    await asked[2]
    const steps = [REQUEST_DEADLINE_MS - 2_001, 1, 999, 1, 999, 1]
    for (const ms of steps) {
      clock.advance(ms)
      await turn()
    }
    expect(clock.pending).toBe(0)
    await Promise.all(asked.slice(0, 3).concat(asked[4]!))
    expect(ends).toEqual([
      'c done at 2000',
      'a NoQuorumError at 30000',
      'b NoQuorumError at 31000',
      'd NoQuorumError at 32000'
    ])
    callers.settle(done('signalled'))
    await asked[3]
  })

  it('begins anew when nobody has waited for a while', async () => {
    const { clock, callers, ends, ask } = setUp()
    const first = ask('a')
    callers.settle(done('a'))
    await first
    clock.advance(REQUEST_DEADLINE_MS * 2)
    expect(clock.pending).toBe(0)
    const second = ask('b')
    clock.advance(REQUEST_DEADLINE_MS)
    await second
    expect(ends).toEqual(['a done at 0', `b NoQuorumError at ${REQUEST_DEADLINE_MS * 3}`])
  })

  it('of a signal is told as what it is, and takes the question back', async () => {
    const { told, ends, ask, clock } = setUp()
    const controller = new AbortController()
    const asked = ask('a', controller.signal)
    clock.advance(10)
    controller.abort(new DOMException('too late', 'TimeoutError'))
    await asked
    expect(ends).toEqual([`a ${NoQuorumError.name} at 10`])
    expect(told.map(({ type }) => type)).toEqual(['request', 'cancel'])
  })

  it('is no concern of a signal that aborts for another reason: that is the end, in its own words', async () => {
    const { told, callers, clock } = setUp()
    const controller = new AbortController()
    const asked = callers.request({ type: 'read', requestId: 'a' }, controller.signal)
    // It has its own deadline, and needs no timer of ours.
    expect(clock.pending).toBe(0)
    const reason = new Error('changed my mind')
    controller.abort(reason)
    await expect(asked).rejects.toBe(reason)
    expect(told.map(({ type }) => type)).toEqual(['request', 'cancel'])
    await expect(callers.request({ type: 'read', requestId: 'b' }, controller.signal)).rejects.toBe(reason)
    expect(told).toHaveLength(2)
  })

  it('leaves nothing on a signal that lives longer than its requests', async () => {
    const { callers, ask } = setUp()
    const { signal } = new AbortController()
    const asked = ask('a', signal)
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    callers.settle(done('a'))
    await asked
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('is not waited for when the node ends', async () => {
    const { clock, callers, ends, ask } = setUp()
    const asked = ask('a')
    callers.end(new NodeStoppedError('stop was called'))
    await asked
    await ask('b')
    expect(ends).toEqual(['a NodeStoppedError at 0', 'b NodeStoppedError at 0'])
    expect(clock.pending).toBe(0)
  })
})

it('whoever asked before there was a replica is heard as soon as there is one', async () => {
  const early = new Callers(manualClock(), () => [])
  const asked = early.request({ type: 'read', requestId: 'a' }, undefined)
  const told: ReplicaInput[] = []
  early.connect((input) => told.push(input))
  expect(told).toEqual([{ type: 'request', request: { type: 'read', requestId: 'a' } }])
  early.settle(done('a'))
  expect(await asked).toEqual(done('a'))
})

describe('the end of the node', () => {
  const full = new StorageFullError('writing', 'wal/1', 0, undefined)
  const change: ClientRequest = { type: 'command', requestId: 'a', data: new Uint8Array() }
  const others: readonly ClientRequest[] = [
    { type: 'members', requestId: 'b', operation: { op: 'remove', member: 'x' } },
    { type: 'transfer', requestId: 'c', to: undefined },
    { type: 'leave', requestId: 'd' }
  ]

  it.each([change, ...others])('leaves unknown what became of a $type that is under way', async (request) => {
    const { callers } = setUp()
    const asked = callers.request(request, undefined)
    callers.end(full)
    const error = await asked.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(OutcomeUnknownError)
    expect(error).toMatchObject({ cause: full, details: { reason: { name: 'StorageFullError' } } })
    expect((error as OutcomeUnknownError).message).toMatch(/whether it was decided is not known.*no space left/)
    expect((error as OutcomeUnknownError).nextStep).toMatch(/before you repeat it\. Free space/)
  })

  it('is all that a read is told, and a change that the replica never saw', async () => {
    const { callers } = setUp()
    const read = callers.request({ type: 'read', requestId: 'r' }, undefined)
    callers.end(full)
    await expect(read).rejects.toBe(full)
    const unborn = new Callers(manualClock(), () => [])
    const never = unborn.request(change, undefined)
    unborn.end(full)
    await expect(never).rejects.toBe(full)
  })
})
