/** The command as people run it: real processes, signals, pipes, and what is left of them. */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StampedNodeEvent } from '../../src/index.ts'
import { founding, QUORATE, run, Yard } from './processes.ts'
import { eventually } from '../admin/eventually.ts'

let yard: Yard

beforeEach(async () => {
  yard = await Yard.open()
})

afterEach(async () => {
  await yard.close()
})

/** The last line of stderr is the error; logs may come before it. */
const errorIn = (stderr: string): Readonly<Record<string, unknown>> =>
  (JSON.parse(stderr.trimEnd().split('\n').at(-1)!) as { error: Record<string, unknown> }).error

const COMMAND = fileURLToPath(new URL('../../dist/command', import.meta.url))

const filesIn = (folder: string): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => `${parentPath}/${name}`)
    : []

const bytesIn = (folder: string, parts: readonly string[]): number =>
  filesIn(folder)
    .filter((file) => parts.includes(file.replace(/.*\/|\.js(?:-\w+)?$/g, '')))
    .reduce((sum, file) => sum + statSync(file).size, 0)

/** How many lives of a node are in what is kept of a part (src/cli/compiled.ts). The last parts that are loaded are the last to be kept. */
function livesOf(cache: string, part: string): number | undefined {
  const file = filesIn(cache).find((one) => new RegExp(`/${part}\\.js-\\w+$`).test(one))
  if (file === undefined) return undefined
  const bytes = readFileSync(file)
  return bytes.readUInt32LE(bytes.length - 8)
}

const tokenIn = (file: string): string => readFileSync(file, 'utf8').trimEnd()

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
        return event as {
          readonly seat: number
          readonly file: string
          readonly command: string
        }
      })
    )
    for (const invitation of invitations) {
      const { seat, file, command } = invitation
      const token = tokenIn(file)
      expect(invitation).toMatchObject({ node: expect.any(String) as unknown, cluster: null, attempt: 1 })
      expect(token).toMatch(/^qtk1\.[\w-]{100,500}$/)
      expect(invitation).not.toHaveProperty('token')
      expect(statSync(file).mode & 0o777).toBe(0o600)
      // What this node was told about the machine is as good for another one on it.
      const same = '--interface lo'
      expect(command).toBe(`quorate up --data ./node-${seat} --token ${file} ${same}`)
    }
    // It keeps to the interface that it was given, also where it listens.
    const { addresses } = first.events.find(({ event }) => event === 'listening') as unknown as { addresses: string[] }
    expect(addresses).toEqual([expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\//)])
    // Killed before the cluster is founded, it goes on with the same genesis and the same tokens.
    const tokens = invitations.map(({ file }) => tokenIn(file))
    await first.kill()
    const second = yard.start('n1', { args: ['--new'] })
    await second.until('its invitations', ({ event }) => (event as string) === 'invitation')
    await second.kill()
    expect(second.stderr).toContain('going on with fresh, which was made here before')
    expect(invitations.map(({ file }) => tokenIn(file))).toEqual(tokens)
    // Started like any other, it founds the same cluster, and cleans up as well.
    const again = yard.start('n1')
    const others = tokens.map((token, i) => yard.start(`n${i + 2}`, { token }))
    const ready = await Promise.all([again, ...others].map((node) => node.ready()))
    expect(new Set(ready.map(({ cluster }) => cluster)).size).toBe(1)
    expect([first, second, again].map(({ stderr, events }) => stderr + JSON.stringify(events)).join('')).not.toContain(
      'qtk1.'
    )
    // Nobody can need the tokens any more.
    await eventually(() => readdirSync(`${yard.data('n1')}/new-cluster`)).toEqual(['genesis.cose'])
    expect(existsSync(`${yard.data('n1')}/issuer.key`)).toBe(false)

    const locked = await run('up', '--data', yard.data('n1'), '--json')
    expect([locked.code, locked.stdout]).toEqual([5, ''])
    expect(errorIn(locked.stderr)).toMatchObject({ name: 'DataDirLockedError', code: 'ERR_DATA_DIR_LOCKED' })
    const other = await run('up', '--data', yard.data('n1'), '--new', '--name', 'other', '--json')
    expect([other.code, other.stdout]).toEqual([5, ''])
    expect(errorIn(other.stderr)).toMatchObject({ name: 'NewClusterMismatchError', option: 'name', given: 'other' })
    const taken = await run('up', '--data', yard.data('n2'), '--new', '--name', 'other')
    expect([taken.code, taken.stderr]).toEqual([5, expect.stringContaining('nothing was written')])
    expect(taken.stderr).toContain(`quorate up --data ${yard.data('n2')} goes on with it`)
    expect(taken.stderr).not.toContain('--out')
  })
})

describe('a start', () => {
  it('is told from its very beginning, in the order of its stages', async () => {
    const { tokens } = await founding('stages', 1)
    const node = yard.start('n1', { token: tokens[0]! })
    const spawnedAt = performance.timeOrigin + performance.now()
    const { ms } = await node.ready()
    const ready = await node.until('the last stage', (event) => event.event === 'stage' && event.stage === 'ready')
    const stages = node.events.filter((event) => event.event === 'stage')
    const done = stages.filter(({ status }) => status === 'done').map(({ stage }) => stage)
    const order = ['preflight', 'identity', 'discovery', 'authentication', 'formation', 'election', 'config', 'ready']
    expect(done).toEqual(order)
    expect(new Set(stages.filter(({ status }) => status === 'start').map(({ stage }) => stage))).toEqual(new Set(order))
    expect(node.events[0]).toMatchObject({ event: 'stage', stage: 'preflight', status: 'start', ms: 0 })
    // Moments and durations are of one clock: what was reported late says when it was.
    for (const event of stages) expect(event.at - node.events[0]!.at).toBeCloseTo(event.ms, 1)
    expect(node.events[0]!.at).toBeGreaterThan(spawnedAt)
    expect(ready.at - node.events[0]!.at).toBeLessThanOrEqual(ms + 100)
    const status = JSON.parse((await run('status', '--data', yard.data('n1'), '--json')).stdout) as { uptimeMs: number }
    expect(status.uptimeMs).toBeGreaterThan(ms)
    expect(await node.stop()).toBe(0)
  })

  it('leaves what it has compiled to the next one, which adds to it', async () => {
    const { tokens } = await founding('compiled', 1)
    const cache = yard.data('compiled')
    const live = async (): Promise<void> => {
      const node = yard.start('n1', { token: tokens[0]!, env: { NODE_COMPILE_CACHE: cache } })
      await node.ready()
      await eventually(() => livesOf(cache, 'libp2p')).toBe(++lives)
      await node.kill()
      expect(node.stderr).toBe('')
    }
    let lives = 0
    await live()
    // One for each step of a start; module by module it was a hundred.
    expect(filesIn(cache).length).toBeLessThan(40)
    // What is ours is there whole: function by function, as they are called, it is 0.7 of the text.
    const ours = ['up', 'documents', 'run-up', 'node']
    expect(bytesIn(cache, ours) / bytesIn(COMMAND, ours)).toBeGreaterThan(1.3)
    await live()
  })

  it('that does not end by its deadline is stopped in order, wherever it was', async () => {
    const { tokens } = await founding('hurried', 3)
    for (const ms of [1, 100, 200, 300, 400, 600]) {
      const node = yard.start(`n${ms}`, { token: tokens[0]!, args: ['--deadline', `${ms}ms`] })
      expect((await node.exited).code, node.story()).toBe(4)
      expect(errorIn(node.stderr)).toMatchObject({ name: 'NotReadyError', stage: expect.any(String) as unknown })
      // Nothing was said, or the end was said as well.
      expect([undefined, 'stopped']).toContain(node.events.at(-1)?.event)
    }
  })

  it.each([
    ['an address that cannot be bound', 8, ['--listen', '/ip4/192.0.2.1/tcp/1'], 'ListenFailedError'],
    ['no credential', 2, [], 'NoCredentialError'],
    ['a data directory that others may change', 6, [], 'DataDirUnsafeError'],
    ['a file in place of the data directory', 6, [], 'DataDirUnsafeError'],
    ['a data directory below a file', 8, [], 'StorageAccessError']
  ])('that fails on %s ends with %i and says why on stderr', async (what, code, args, name) => {
    const { tokens } = await founding('fails', 1)
    let data = yard.data('n1')
    if (what.includes('others')) mkdirSync(data, { mode: 0o777 })
    if (what.includes('others')) chmodSync(data, 0o777)
    if (what.includes('file')) writeFileSync(data, '')
    if (what.includes('below')) data = `${data}/below`
    const token = what.includes('no credential') ? [] : ['--token', tokens[0]!]
    const { code: ended, stdout, stderr } = await run('up', '--json', '--data', data, '--no-mdns', ...token, ...args)
    expect([ended, errorIn(stderr)['name']]).toEqual([code, name])
    expect(errorIn(stderr)).toMatchObject({ code: expect.stringMatching(/^ERR_/) as unknown })
    // Once.
    expect(stderr.trimEnd()).not.toContain('\n')
    const events = stdout.split('\n').filter((line) => line !== '')
    // Before there is a node there is nobody to report for; afterwards the last event says why as well.
    if (name !== 'ListenFailedError') expect(events).toEqual([])
    else expect(JSON.parse(events.at(-1)!)).toMatchObject({ event: 'stopped', error: { name } })
  })
})

describe('for people', () => {
  it('a failure is said once, and an interface that is not there is named', async () => {
    const { tokens } = await founding('fails', 1)
    const common = ['up', '--data', yard.data('n1'), '--token', tokens[0]!, '--interface', 'lo', 'no-such-interface']
    const { code, stdout, stderr } = await run(...common, '--listen', '/ip4/192.0.2.1/tcp/1')
    expect(code).toBe(8)
    expect(stderr).toContain('--interface no-such-interface: nothing here has this name or address now')
    expect((stdout + stderr).split('cannot listen on')).toHaveLength(2)
    expect(stderr).not.toMatch(/ at |\\u\{/)
  })
})

describe('what must be there before anything starts', () => {
  it('is Node.js 22.12: an older one ends with 8 and a sentence', async () => {
    const older = 'Object.defineProperty(process, "versions", { value: { node: "22.11.0" } })'
    const child = spawn(process.execPath, ['--import', `data:text/javascript,${older}`, QUORATE, '--help'])
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect([code, said]).toEqual([8, `quorate needs Node.js 22.12 or newer; this is ${process.version}\n`])
  })
})

describe('a running cluster', () => {
  it('is asked and told through any node; without a quorum it says so; a killed node is not taken for a live one', async () => {
    const { tokens } = await founding('asked', 3)
    // An heir gets one election timeout to take over: more than a busy machine needs.
    const nodes = tokens.map((token, i) => yard.start(`n${i + 1}`, { token, args: ['--timing', 'wan'] }))
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
    expect([dead.code, dead.stdout]).toEqual([8, ''])
    expect(errorIn(dead.stderr)).toMatchObject({ name: 'NodeNotRunningError', reason: 'dead-socket' })
    await eventually(async () => (await run('status', '--data', data[0]!)).stdout).toMatch(
      /no quorum[\s\S]*1 of 3 voters reachable, 2 needed/
    )
    const change = await run('config', 'set', '{}', '--data', data[0]!, '--timeout', '2s', '--json')
    expect([change.code, change.stdout]).toEqual([7, ''])
    expect(errorIn(change.stderr)).toMatchObject({
      name: 'NoQuorumError',
      waitingFor: [expect.stringContaining('1 of 3 voters') as unknown]
    })
    expect(await nodes[0]!.stop()).toBe(0)
    expect(existsSync(`${data[0]!}/control.sock`)).toBe(false)
  })

  it('stops at once when its last two voters stop together, and nobody is alarmed', async () => {
    const { tokens } = await founding('together', 3)
    // With the most patient preset: an election timeout of 8 s.
    const nodes = tokens.map((token, i) => yard.start(`n${i + 1}`, { token, args: ['--timing', 'edge'] }))
    await Promise.all(nodes.map((node) => node.ready()))
    const follower = nodes.findLast((node) => !node.events.some(isLeader))!
    await follower.kill()
    const rest = nodes.filter((node) => node !== follower)
    const asked = performance.now()
    expect(await Promise.all(rest.map((node) => node.stop()))).toEqual([0, 0])
    // The hand-over ends with the heir; the rest is patience with a busy machine.
    expect(performance.now() - asked).toBeLessThan(6_000)
    for (const { stderr } of rest) expect(stderr).toBe('')
  })

  it('knows a node that has left, also when it is started again', async () => {
    const { tokens } = await founding('leaves', 3)
    const nodes = tokens.map((token, i) => yard.start(`n${i + 1}`, { token }))
    await Promise.all(nodes.map((node) => node.ready()))
    const left = await run('leave', '--data', yard.data('n3'), '--timeout', '30s', '--json')
    expect([left.code, left.stdout, left.stderr]).toEqual([0, '{"left":true}\n', ''])
    expect((await nodes[2]!.exited).code).toBe(0)
    const again = yard.start('n3')
    await again.until(
      'that it is no member',
      (event) =>
        event.event === 'waiting' && event.waitingFor[0]?.startsWith('this node is no longer a member: ') === true
    )
    const status = await run('status', '--data', yard.data('n3'))
    expect(status.stdout).toContain('leaves · not a member')
    expect(await again.stop()).toBe(0)
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
