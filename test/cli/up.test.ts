/** How a run of `up` ends, whenever it is told to: with the real command, and a node that is there when the test says so. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { NodeInit, QuorateNode, ReadyInfo, StampedNodeEvent } from '../../src/node/types.ts'
import type { QuorateError } from '../../src/core/errors.ts'
import { ListenFailedError } from '../../src/transport/errors.ts'
import { eventually } from '../admin/eventually.ts'
import { CLUSTER, FakeNode, SELF } from '../admin/fake-node.ts'
import { type Running, start } from './harness.ts'

class StartedNode extends FakeNode {
  stops = 0
  readonly init: NodeInit
  readonly #ready = Promise.withResolvers<ReadyInfo>()

  constructor(init: NodeInit) {
    super()
    this.init = init
  }

  override ready(): Promise<never> {
    return this.#ready.promise as Promise<never>
  }

  /** As the node itself says it. */
  beReady(): void {
    const event = { event: 'ready', leader: SELF, term: 1, configVersion: 1, configHash: 'h1', ms: 1 } as const
    const detail: StampedNodeEvent = { ...event, at: 1, node: SELF, cluster: CLUSTER, attempt: 1 }
    this.init.events!.dispatchEvent(new CustomEvent('*', { detail }))
    this.#ready.resolve({ leader: SELF, term: 1, configVersion: 1, configHash: 'h1', ms: 1 })
  }

  /** What a node writes to its log when an error ends it. */
  lastWords({ name, code, message }: QuorateError): void {
    this.init.logger!.error({ name, code, message }, 'the node stops because of an error')
  }

  override async stop(): Promise<void> {
    this.stops++
    await super.stop()
  }
}

const made = vi.hoisted(() => ({
  node: undefined as StartedNode | undefined,
  handOver: () => {},
  fail: (() => {}) as (error: Error) => void
}))
vi.mock('../../src/node/create-node.ts', () => ({
  createNode: (init: NodeInit) =>
    new Promise<QuorateNode>((resolve, reject) => {
      const node = new StartedNode(init)
      made.handOver = () => resolve(node)
      made.fail = reject
      made.node = node
    })
}))

let data: string
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'qu-'))
  made.node = undefined
})
afterEach(() => rmSync(data, { recursive: true, force: true }))

type Begun = { readonly running: Running; readonly node: StartedNode }

/** Up to where the library has been asked for a node. */
const begun = (...words: readonly string[]): Promise<Begun> => begunFor('programs', ...words)

async function begunFor(whom: 'people' | 'programs', ...words: readonly string[]): Promise<Begun> {
  const running = start(['up', '--data', data, ...(whom === 'people' ? [] : ['--json']), ...words])
  await eventually(() => made.node !== undefined).toBe(true)
  return { running, node: made.node! }
}

describe('up', () => {
  it.each([
    ['SIGTERM', 'is ready', 0],
    ['SIGINT', 'is ready', 0],
    // Nobody asked it to stop: whoever read its output is gone.
    ['SIGPIPE', 'is ready', 141],
    ['SIGTERM', 'is not ready', 143],
    ['SIGINT', 'is not ready', 130]
  ])(
    'that gets %s while the library has not handed over a node that %s ends with %i, and stops that node',
    async (signal, state, code) => {
      const { running, node } = await begun()
      if (state === 'is ready') node.beReady()
      running.interrupt(signal)
      made.handOver()
      expect([(await running.done).code, node.stops]).toEqual([code, 1])
    }
  )

  it('whose parent is gone in that moment ends with 0, ready or not', async () => {
    for (const isReady of [true, false]) {
      const { running, node } = await begun('--stop-with-parent')
      if (isReady) node.beReady()
      running.stdin.end()
      await eventually(() => running.stdin.readableEnded).toBe(true)
      made.handOver()
      expect([(await running.done).code, node.stops]).toEqual([0, 1])
      made.node = undefined
    }
  })

  it('that has its node serves it until it is told to stop, and leaves no socket', async () => {
    const { running, node } = await begun()
    made.handOver()
    const socket = join(data, 'control.sock')
    await eventually(() => existsSync(socket)).toBe(true)
    running.interrupt('SIGTERM')
    expect([(await running.done).code, node.stops, existsSync(socket)]).toEqual([0, 1, false])
  })

  it.each(['people', 'programs'] as const)('that fails says why once, for %s', async (whom) => {
    const { running, node } = await begunFor(whom)
    const error = new ListenFailedError(['/ip4/127.0.0.1/tcp/4001'], new Error('listen EADDRINUSE'))
    node.lastWords(error)
    made.fail(error)
    const { code, err } = await running.done
    expect(code).toBe(8)
    expect(err).toMatch(
      whom === 'people' ? /^error: cannot listen on 127/ : /^\{"error":\{"name":"ListenFailedError",.*\}\n$/
    )
    expect((running.out() + err).split('the port is in use')).toHaveLength(2)
  })

  it('whose node fails when it was told to stop ends as it was told to, and the log says what happened', async () => {
    const { running, node } = await begun()
    made.handOver()
    await eventually(() => existsSync(join(data, 'control.sock'))).toBe(true)
    running.interrupt('SIGTERM')
    node.lastWords(new ListenFailedError([], new Error('listen EADDRINUSE')))
    const { code, err } = await running.done
    expect([code, JSON.parse(err)]).toEqual([0, expect.objectContaining({ name: 'ListenFailedError', level: 'error' })])
  })

  it('keeps to the interfaces that it is given: where it listens, and where it looks for others', async () => {
    for (const [words, listen, mdns] of [
      [['--interface', '127.0.0.1'], ['/ip4/127.0.0.1/tcp/0'], { interfaces: ['127.0.0.1'] }],
      [['--interface', '127.0.0.1', '--no-mdns'], ['/ip4/127.0.0.1/tcp/0'], false],
      [['--interface', '127.0.0.1', '--listen', '10.0.0.1:4'], ['/ip4/10.0.0.1/tcp/4'], { interfaces: ['127.0.0.1'] }],
      [[], undefined, true]
    ] as const) {
      const { running, node } = await begun(...words)
      expect([node.init.listen, node.init.discovery?.mdns]).toEqual([listen, mdns])
      running.interrupt('SIGTERM')
      made.handOver()
      await running.done
      made.node = undefined
    }
  })

  it('removes the tokens of other seats when the cluster is founded, and not before', async () => {
    const folder = join(data, 'new-cluster')
    mkdirSync(folder)
    for (const name of ['genesis.cose', 'seat-2.token']) writeFileSync(join(folder, name), '')
    const { running, node } = await begun()
    made.handOver()
    await eventually(() => existsSync(join(data, 'control.sock'))).toBe(true)
    expect(readdirSync(folder)).toHaveLength(2)
    node.beReady()
    await eventually(() => readdirSync(folder)).toEqual(['genesis.cose'])
    running.interrupt('SIGTERM')
    expect((await running.done).code).toBe(0)
  })
})
