/** The demo as anybody runs it, watched through its NDJSON: what it claims must be in the events of the nodes themselves. */
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { StampedNodeEvent } from '../../src/index.ts'
import { inOrder } from '../../examples/demo/in-order.ts'
import { eventually } from '../admin/eventually.ts'

const DEMO = fileURLToPath(new URL('../../examples/demo/main.ts', import.meta.url))

type Line = { readonly event: string; readonly at: number } & Readonly<Record<string, unknown>>
type NodeLine = StampedNodeEvent & { readonly name: string }

interface Demo {
  readonly lines: Line[]
  readonly code: number | null
  readonly stderr: string
}

/** `onLine` may end it; the demo's own deadlines bound the rest. */
async function demo(
  args: readonly string[],
  onLine: (line: Line, kill: (signal: NodeJS.Signals) => void) => void = () => {}
): Promise<Demo> {
  const child = spawn(process.execPath, [DEMO, '--json', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  const lines: Line[] = []
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Line
    lines.push(line)
    onLine(line, (signal) => void child.kill(signal))
  }
  return { lines, code: await ended, stderr }
}

const step = (lines: readonly Line[], name: string): Line => {
  const found = lines.find((line) => line.event === 'step' && line['step'] === name && line['status'] === 'done')
  if (found === undefined) throw new Error(`the demo has no step ${name}`)
  return found
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('lines', () => {
  it('are printed in the order of time, a moment later or when something else is to be said', async () => {
    const printed: string[] = []
    const lines = inOrder((at, text) => printed.push(`${at} ${text}`))
    lines.add(3, 'c')
    lines.add(1, 'a')
    lines.add(3, 'd')
    expect(printed).toEqual([])
    lines.flush()
    expect(printed).toEqual(['1 a', '3 c', '3 d'])
    lines.add(2, 'late')
    await eventually(() => printed).toEqual(['1 a', '3 c', '3 d', '2 late'])
    lines.flush()
    expect(printed).toHaveLength(4)
  })
})

describe('the demo', () => {
  it('founds, fails over, changes the config, brings a node back, and hands over', async () => {
    const { lines, code, stderr } = await demo([])
    expect(`${stderr}${code}`).toBe('0')
    const said = lines.filter((line) => 'attempt' in line) as unknown as NodeLine[]
    const of = <E extends StampedNodeEvent['event']>(event: E): Extract<NodeLine, { event: E }>[] =>
      said.filter((line) => line.event === event) as Extract<NodeLine, { event: E }>[]

    const form = step(lines, 'form')
    // By position: processes do not read the same clock.
    const founding = new Set<unknown>(lines.slice(0, lines.indexOf(form)))
    const first = of('ready').filter((line) => founding.has(line))
    expect(first.map(({ name }) => name).toSorted()).toEqual(['n1', 'n2', 'n3'])
    expect(
      new Set(first.map(({ cluster, configVersion, configHash }) => `${cluster} ${configVersion} ${configHash}`))
    ).toEqual(new Set([`${String(form['cluster'])} 1 ${String(form['configHash'])}`]))
    for (const stage of [
      'preflight',
      'identity',
      'discovery',
      'authentication',
      'formation',
      'election',
      'config',
      'ready'
    ]) {
      const done = of('stage').filter((line) => line.stage === stage && line.status === 'done' && founding.has(line))
      expect(new Set(done.map(({ name }) => name)), stage).toEqual(new Set(['n1', 'n2', 'n3']))
    }

    const failover = step(lines, 'failover')
    expect(failover['leader']).not.toBe(failover['killed'])
    expect(of('writable').some(({ name, term }) => name === failover['leader'] && term === failover['term'])).toBe(true)

    const change = step(lines, 'change')
    expect(change).toMatchObject({ version: 2, value: { greeting: expect.any(String) as unknown } })
    const returned = step(lines, 'return')
    expect(returned).toMatchObject({ returned: failover['killed'], version: 2, hash: change['hash'] })
    const applied = of('config').filter(({ version }) => version === 2)
    expect(new Set(applied.map(({ hash }) => hash))).toEqual(new Set([change['hash']]))
    expect(new Set(applied.map(({ name }) => name))).toEqual(new Set(['n1', 'n2', 'n3']))
    // The same data directory, one boot later.
    expect(said.findLast(({ name }) => name === returned['returned'])!.attempt).toBe(2)

    const stop = step(lines, 'stop')
    expect(stop['from']).not.toBe(stop['to'])
    expect(new Map(of('stopped').map(({ name, error }) => [name, error]))).toEqual(
      new Map(['n1', 'n2', 'n3'].map((name) => [name, undefined]))
    )
    // No term has two leaders.
    const leaders = new Map<number, Set<unknown>>()
    for (const { term, leader } of of('leader')) {
      if (leader !== null) leaders.set(term, (leaders.get(term) ?? new Set()).add(leader))
    }
    for (const [term, seen] of leaders) expect(seen.size, `leaders of term ${term}`).toBe(1)

    const summary = lines.at(-1)!
    expect(summary).toMatchObject({ event: 'summary', ok: true, nodes: 3, cluster: form['cluster'] })
    for (const ms of Object.values(summary['ms'] as Record<string, number>)) expect(ms).toBeGreaterThan(0)
    expect(Object.keys(summary['ms'] as object)).toHaveLength(8)
  })

  it('says what is wrong with its options in one line, and how it is used', async () => {
    for (const [args, what] of [
      [['--foo'], "error: Unknown option '--foo'"],
      [['--nodes', '2'], 'error: --nodes 2 is not a whole number from 3 to 9'],
      [['more'], "error: Unexpected argument 'more'"]
    ] as const) {
      const { code, stderr, lines } = await demo(args)
      expect([code, lines, stderr.split('\n')[0]]).toEqual([2, [], expect.stringContaining(what)])
      expect(stderr).not.toMatch(/^ +at /m)
    }
  })

  it('tells people of a node that comes back no founding', async () => {
    const child = spawn(process.execPath, [DEMO], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0)
    const chapters = said.split('\n\n')
    const back = chapters.find((chapter) => chapter.includes('comes back'))!
    expect(back).toMatch(/ n\d {2}knows +cluster [0-9a-f]{12}$/m)
    expect(back).toMatch(/ n\d {2}follows +n\d, term \d+$/m)
    expect(back).not.toMatch(/founded|elected|founders|1 peers/)
  })

  it('goes over to static seeds when the nodes say that multicast is blocked', async () => {
    const command = fileURLToPath(new URL('demo-blocked-multicast.ts', import.meta.url))
    const { lines, code, stderr } = await demo(['--command', command])
    expect(`${stderr}${code}`).toBe('0')
    expect(lines.filter(({ event }) => event === 'note').map(({ text }) => text)).toEqual([
      'the nodes say that multicast is blocked here: once more, with the address of the first'
    ])
    expect(lines.at(-1)).toMatchObject({ event: 'summary', ok: true, discovery: 'static seeds' })
    const hints = lines.filter(({ event, status }) => event === 'peer' && status === 'discovered')
    expect(hints.map(({ source }) => source)).not.toContain('mdns')
  })

  it('leaves no process behind when it is interrupted or killed', async () => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGKILL', null]
    ] as const) {
      const pids = new Set<number>()
      const outcome = await demo([], (line, kill) => {
        if (line.event === 'started') pids.add(line['pid'] as number)
        if (line.event === 'stage' && line['stage'] === 'discovery' && line['status'] === 'done') kill(signal)
      })
      expect(outcome.code).toBe(code)
      expect(pids.size).toBe(3)
      await eventually(() => [...pids].filter(isAlive)).toEqual([])
      rmSync(String(outcome.lines[0]!['folder']), { recursive: true, force: true })
    }
  })
})
