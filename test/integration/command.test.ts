/** The command as people run it: real processes, signals, pipes, and what is left of them. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StampedNodeEvent } from '../../src/index.ts'
import { founding, run, Yard } from './processes.ts'
import { eventually } from '../admin/eventually.ts'

let yard: Yard

beforeEach(async () => {
  yard = await Yard.open()
})

afterEach(async () => {
  await yard.close()
})

const isLeader = (event: StampedNodeEvent): boolean => event.event === 'leader' && event.leader === event.node

describe('up --new', () => {
  it('makes a cluster whose other founders need nothing but a short token', async () => {
    const name = ['--new', '--name', 'fresh', '--config', '/dev/stdin']
    expect((await run('up', '--data', yard.data('n1'), ...name, '--seats', '0')).code).toBe(2)
    const args = ['--new', '--name', 'fresh', '--seats', '3']
    const first = yard.start('n1', { args })
    const invitations = await Promise.all(
      [2, 3].map(async (seat) => {
        const event: unknown = await first.until(`the invitation of seat ${seat}`, (seen) => {
          const { event: kind, seat: invited } = seen as { event: string; seat?: number }
          return kind === 'invitation' && invited === seat
        })
        return event as { readonly token: string; readonly command: string }
      })
    )
    for (const { token, command } of invitations) {
      expect(token).toMatch(/^qtk1\.[\w-]{100,500}$/)
      expect(command).toContain(`quorate up --data node --token ${token}`)
    }
    // Killed before the cluster is founded, it goes on with the same genesis and the same tokens.
    await first.kill()
    const again = yard.start('n1', { args: ['--new'] })
    const others = invitations.map(({ token }, i) => yard.start(`n${i + 2}`, { token }))
    const ready = await Promise.all([again, ...others].map((node) => node.ready()))
    expect(new Set(ready.map(({ cluster }) => cluster)).size).toBe(1)
    expect(again.stderr).toContain('going on with fresh, which was made here before')
    expect(first.stderr + again.stderr).not.toContain('qtk1.')
    // Nobody can need the tokens any more.
    await eventually(() => readdirSync(`${yard.data('n1')}/new-cluster`)).toEqual(['genesis.cose'])
    expect(existsSync(`${yard.data('n1')}/issuer.key`)).toBe(false)

    const locked = await run('up', '--data', yard.data('n1'), '--json')
    expect([locked.code, locked.stdout]).toEqual([3, expect.stringContaining('DataDirLockedError')])
    const other = await run('up', '--data', yard.data('n1'), '--new', '--name', 'other', '--json')
    expect([other.code, other.stdout]).toEqual([3, expect.stringContaining('NewClusterMismatchError')])
    const taken = await run('up', '--data', yard.data('n2'), '--new', '--name', 'other')
    expect([taken.code, taken.stderr]).toEqual([3, expect.stringContaining('nothing was written')])
  })
})

describe('a running cluster', () => {
  it('is asked and told through any node; without a quorum it says so; a killed node is not taken for a live one', async () => {
    const { tokens } = await founding('asked', 3)
    const nodes = tokens.map((token, i) => yard.start(`n${i + 1}`, { token }))
    await Promise.all(nodes.map((node) => node.ready()))
    const leader = nodes.findIndex((node) => node.events.some(isLeader))
    const data = nodes.map((_, i) => yard.data(`n${i + 1}`))

    const transferred = await run('transfer', '--data', data[(leader + 1) % 3]!, '--json')
    expect(transferred.code).toBe(0)
    const next = nodes.findIndex(
      ({ events }) => events[0]!.node === (JSON.parse(transferred.stdout) as { peerId: string }).peerId
    )
    expect(next).not.toBe(leader)
    const members = await run('members', '--data', data[leader]!)
    expect(members.stdout).toMatch(/seat 1 .*\n.*seat 2 .*\n.*seat 3 /)

    await Promise.all([nodes[1]!.kill(), nodes[2]!.kill()])
    const dead = await run('status', '--data', data[1]!, '--json')
    expect([dead.code, dead.stdout]).toEqual([1, expect.stringContaining('"reason":"dead-socket"')])
    await eventually(async () => (await run('status', '--data', data[0]!)).stdout).toMatch(
      /no quorum[\s\S]*1 of 3 voters reachable, 2 needed/
    )
    const change = await run('config', 'set', '{}', '--data', data[0]!, '--timeout', '2s', '--json')
    expect([change.code, change.stdout]).toEqual([
      4,
      expect.stringMatching(/^{"event":"error".*"NoQuorumError".*1 of 3 voters/)
    ])
    expect(await nodes[0]!.stop()).toBe(0)
    expect(existsSync(`${data[0]!}/control.sock`)).toBe(false)
  })

  it('of one founder stops when its parent is gone, and when nobody reads it', async () => {
    const { tokens } = await founding('alone', 1)
    const held = yard.start('n1', { token: tokens[0]! })
    await held.ready()
    held.child.stdin!.end()
    expect((await held.exited).code).toBe(0)
    expect(held.events.at(-1)).toMatchObject({ event: 'stopped', reason: 'stop' })

    const unread = yard.start('n1')
    await unread.ready()
    unread.child.stdout!.destroy()
    // Something to say, so that it notices.
    await run('config', 'set', '{}', '--data', yard.data('n1'))
    expect((await unread.exited).code).toBe(141)
  })
})

describe('signals', () => {
  it('are orderly once; the second one ends the process at once', async () => {
    const io = JSON.stringify(fileURLToPath(new URL('../../src/cli/io.ts', import.meta.url)))
    const script = `
      const { processIo } = await import(${io})
      const { interrupt } = processIo()
      setInterval(() => {}, 1000)
      interrupt.addEventListener('abort', () => console.log('stopping', interrupt.reason.exitCode))
      console.log('up')`
    for (const [first, second, code] of [
      ['SIGTERM', 'SIGINT', 130],
      ['SIGINT', 'SIGTERM', 143]
    ] as const) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit']
      })
      const ended = new Promise((resolve) => child.once('exit', resolve))
      const lines: string[] = []
      for await (const line of createInterface({ input: child.stdout })) {
        lines.push(line)
        child.kill(line === 'up' ? first : second)
      }
      expect(await ended).toBe(code)
      expect(lines).toEqual(['up', `stopping ${first === 'SIGINT' ? 130 : 143}`])
    }
  })
})
