/** A cluster forms by itself from real processes, real sockets and real disks, and says what it waits for when it cannot. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seededRandom } from '../../src/core/random.ts'
import type { NodeStatus, StampedNodeEvent } from '../../src/index.ts'
import { type Founding, founding, run, Yard } from './processes.ts'

let yard: Yard

beforeEach(async () => {
  yard = await Yard.open()
})

afterEach(async () => {
  await yard.close()
})

const waiting = (event: StampedNodeEvent): event is Extract<StampedNodeEvent, { event: 'waiting' }> =>
  event.event === 'waiting'

describe('formation', () => {
  it('forms three processes that know only their tokens, and serves status and config', async () => {
    const { tokens } = await founding('three', 3)
    const nodes = tokens.map((token, i) => yard.start(`n${i + 1}`, { token }))
    const ready = await Promise.all(nodes.map((node) => node.ready()))
    expect(new Set(ready.map(({ cluster }) => cluster)).size).toBe(1)
    expect(new Set(ready.map(({ configHash }) => configHash)).size).toBe(1)

    const set = await run('config', 'set', '{"limit":2}', '--if-version', '1', '--json', '--data', yard.data('n2'))
    expect(set).toMatchObject({ code: 0 })
    const late = await run('config', 'set', '{"limit":3}', '--if-version', '1', '--json', '--data', yard.data('n3'))
    expect([late.code, late.stdout]).toEqual([5, ''])
    expect(JSON.parse(late.stderr)).toMatchObject({ error: { name: 'ConfigConflictError', expected: 1, actual: 2 } })
    for (const node of nodes) {
      await node.until('config version 2', (event) => event.event === 'config' && event.version === 2)
    }
    const status = JSON.parse((await run('status', '--json', '--data', yard.data('n1'))).stdout) as NodeStatus
    expect(status).toMatchObject({ stage: 'ready', config: { version: 2 }, waitingFor: [] })
    expect(status.safety).toEqual({ foundingSize: 3, incarnationsSeen: 3, splitNeeds: 6 })
    expect(status.members.map(({ connected }) => connected)).toEqual([true, true, true])
    for (const node of nodes) expect(await node.stop()).toBe(0)
  })

  it('waits for the third founder, says so, and forms at once when it comes', async () => {
    const { tokens } = await founding('waiting', 3)
    const first = yard.start('n1', { token: tokens[0]! })
    const second = yard.start('n2', { token: tokens[1]! })
    const { waitingFor } = await first.until(
      'the missing seat',
      (event): event is Extract<StampedNodeEvent, { event: 'waiting' }> =>
        waiting(event) && event.waitingFor.some((text) => text.startsWith('2 of 3 founders: seat 3 not seen'))
    )
    expect(waitingFor).toHaveLength(1)
    const third = yard.start('n3', { token: tokens[2]! })
    await Promise.all([first, second, third].map((node) => node.ready()))
  })

  it('ends with exit code 4 and the same explanation when the deadline passes', async () => {
    const { tokens } = await founding('deadline', 3)
    const node = yard.start('n1', { token: tokens[0]!, args: ['--deadline', '15s'] })
    expect((await node.exited).code).toBe(4)
    expect(node.events.at(-1)).toMatchObject({ event: 'stopped', reason: 'stop' })
    const { error } = JSON.parse(node.stderr.trimEnd().split('\n').at(-1)!) as { error: Record<string, unknown> }
    expect(error).toMatchObject({ name: 'NotReadyError', code: 'ERR_NOT_READY', stage: 'discovery' })
    expect(error['message']).toContain('not ready within 15s: 1 of 3 founders: seats 2, 3 not seen')
    expect(error['waitingFor']).toEqual([expect.stringContaining('1 of 3 founders: seats 2, 3 not seen')])
  })

  it('stops two nodes that hold one token, and names both', async () => {
    const { tokens } = await founding('conflict', 3)
    const nodes = [yard.start('n1', { token: tokens[0]! }), yard.start('n2', { token: tokens[0]! })]
    const stopped = await Promise.all(
      nodes.map((node) =>
        node.until(
          'SeatConflictError',
          (event): event is Extract<StampedNodeEvent, { event: 'stopped' }> =>
            event.event === 'stopped' && event.error?.name === 'SeatConflictError'
        )
      )
    )
    const ids = stopped.map(({ node }) => node)
    for (const { error } of stopped) for (const id of ids) expect(error?.message).toContain(id)
    for (const node of nodes) expect((await node.exited).code).toBe(5)
  })
})

/** Start any order, 0 to 5 s apart; each node is killed once while the cluster forms, at a moment that the seed chooses. */
async function chaos(round: number, name: string, { tokens }: Founding): Promise<void> {
  const random = seededRandom(`formation chaos ${round}`)
  const lives = tokens.map(async (token, i) => {
    const data = `${name}-n${i + 1}`
    await after(random.next() * 5_000)
    const first = yard.start(data, { token })
    // From before the first byte is written to after the cluster has formed.
    await Promise.race([after(random.next() * 2_500), first.exited])
    await first.kill()
    return yard.start(data, { token })
  })
  const nodes = await Promise.all(lives)
  try {
    const ready = await Promise.all(nodes.map((node) => node.ready()))
    expect(new Set(ready.map(({ cluster }) => cluster)).size, `round ${round}: clusters`).toBe(1)
    expect(new Set(ready.map(({ configHash }) => configHash)).size, `round ${round}: config hashes`).toBe(1)
  } catch (error) {
    throw new Error(`round ${round}: ${(error as Error).message}`, { cause: error })
  }
  for (const node of nodes) await node.kill()
}

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe('formation with each founder killed once', () => {
  it('makes one cluster with one config in 20 seeded rounds', async () => {
    // Four clusters at a time: most of a round is waiting for the next start.
    const rounds = Array.from({ length: 20 }, (_, i) => i + 1)
    const lanes = Array.from({ length: 4 }, async () => {
      for (let round = rounds.shift(); round !== undefined; round = rounds.shift()) {
        const name = `round-${round}`
        await chaos(round, name, await founding(name, 3))
      }
    })
    await Promise.all(lanes)
  }, 240_000)
})
