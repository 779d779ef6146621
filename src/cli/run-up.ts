/**
 * `quorate up`: a node from start to stop. Whatever ends it (a signal, the deadline, the parent, the node itself), the node is
 * stopped in order, which hands leadership over, and the control socket is gone before the process ends.
 */
import { join } from 'node:path'
import { CONTROL_SOCKET, type ControlServer, serveControl } from '../admin/index.ts'
import { timingPresets } from '../config-init/index.ts'
import type { Timer } from '../core/clock.ts'
import { raceAbort, startDeadline } from '../core/deadline.ts'
import { QuorateError } from '../core/errors.ts'
import type { NodeInit, QuorateNode, StageName, StampedNodeEvent } from '../node/types.ts'
import { NotReadyError } from '../node/errors.ts'
import { ExitWith, Interrupted } from './cli-errors.ts'
import type { UpOptions } from './commands/up.ts'
import { Compilers } from './compilers.ts'
import { EXIT } from './exit-codes.ts'
import type { Io } from './io.ts'
import { listenOn, unknownInterfaces } from './interfaces.ts'
import { becomeLean, settleIn, STALL_MS } from './lean.ts'
import { LastWords, makeLogger } from './log.ts'
import { forgetTokens, invitationLines, type NewCluster, newCluster, noteLines } from './new-cluster.ts'
import { withDataDir } from './shell-words.ts'
import { readSource } from './sources.ts'
import { readToken } from './token-source.ts'
import { type UpOutput, upOutput } from './up-output.ts'

/** A graceful stop that takes longer has failed; the process then ends without it. */
const STOP_MS_MAX = 15_000

/** The node did not stop in order. */
class StopTimeoutError extends QuorateError {
  constructor() {
    super('StopTimeoutError', 'ERR_STOP_TIMEOUT', `the node did not stop in order within ${STOP_MS_MAX} ms`, {
      nextStep: 'The process ends as in a crash; what was committed is on disk. Start it again as before.'
    })
  }
}

/** Standard input closed, with --stop-with-parent. */
class ParentGone extends ExitWith {
  constructor() {
    super(EXIT.ok)
  }
}

export async function up(io: Io, options: UpOptions): Promise<void> {
  // Before anything is made: what cannot be listened on ends here.
  const listen = options.listen ?? (options.interface === undefined ? undefined : listenOn(options.interface))
  const cluster = options.new === true ? await newCluster(io, options) : undefined
  const output = upOutput(io, options.json === true, () => run.node?.status().name || (cluster?.name ?? ''))
  const compilers = new Compilers(io.clock)
  const run: Run = { io, options, listen, cluster, output, compilers, end: new AbortController(), stage: 'preflight' }
  const timer = connectEndings(run)
  let told: unknown
  try {
    const node = await started(run)
    if (node === undefined) return
    settleIn()
    compilers.rest()
    node.ready().then(
      () => {
        // Only a node that is late to be ready is ended by the deadline.
        timer?.cancel()
        // Ended by the end of this run.
        becomeLean(io.clock, run.end.signal, () => mayStall(node)).catch(() => {})
      },
      () => {}
    )
    await untilEnd(run, node)
  } catch (error) {
    told = error
    throw error
  } finally {
    timer?.cancel()
    compilers.end()
    run.lastWords?.end(told)
    output.close()
  }
}

/** Whether nobody doubts this node for it: followers miss a leader that is silent for longer than their patience, and nobody misses them. */
export const mayStall = (node: Pick<QuorateNode, 'peerId' | 'status'>): boolean => {
  const { timing, leader } = node.status()
  const { electionTimeoutMs, electionTimeoutMinMs = electionTimeoutMs, heartbeatMs } = timingPresets[timing].raft
  return leader !== node.peerId || electionTimeoutMinMs - heartbeatMs > STALL_MS
}

interface Run {
  readonly io: Io
  readonly options: UpOptions
  /** Undefined: the library's default. */
  readonly listen: readonly string[] | undefined
  readonly cluster: NewCluster | undefined
  readonly output: UpOutput
  readonly compilers: Compilers
  /** Aborts with what ends this run from outside of the node: Interrupted, ParentGone, NotReadyError. */
  readonly end: AbortController
  starting?: Promise<QuorateNode>
  node?: QuorateNode
  lastWords?: LastWords
  /** How often this data directory was started; known from the first event on. */
  attempt?: number
  /** The latest that has begun. */
  stage: StageName
  isReady?: boolean
}

function connectEndings(run: Run): Timer | undefined {
  const { io, options, end } = run
  const onInterrupt = (): void => end.abort(io.interrupt.reason)
  if (io.interrupt.aborted) onInterrupt()
  io.interrupt.addEventListener('abort', onInterrupt, { once: true })
  if (options.stopWithParent === true) {
    for (const name of ['end', 'close', 'error']) io.stdin.once(name, () => end.abort(new ParentGone()))
    io.stdin.resume()
  }
  const { deadline } = options
  return deadline && io.clock.setTimer(deadline.ms, () => end.abort(notReady(run, deadline.text)))
}

function notReady({ node, stage }: Run, deadlineText: string): NotReadyError {
  const status = node?.status()
  return new NotReadyError(deadlineText, status?.stage ?? stage, status?.waitingFor ?? [], status?.advice)
}

/** Undefined: it was asked to stop when it was ready, a moment before the library had told us of the node. */
async function started(run: Run): Promise<QuorateNode | undefined> {
  try {
    return await raceAbort(start(run), run.end.signal)
  } catch (error) {
    await stopHalfStarted(run)
    if (run.isReady === true && isAskedFor(error)) return undefined
    throw error
  }
}

async function start(run: Run): Promise<QuorateNode> {
  const init = await nodeInit(run)
  const { createNode } = await import('../node/create-node.ts')
  run.end.signal.throwIfAborted()
  run.starting = createNode(init)
  return (run.node = await run.starting)
}

/** A start cannot be broken off; it is waited for, so that it is stopped as any other. One that failed has cleaned up. */
async function stopHalfStarted(run: Run): Promise<void> {
  const { io, starting } = run
  if (starting === undefined) return
  const limit = startDeadline(io.clock, STOP_MS_MAX)
  const node = await raceAbort(starting, limit.signal).catch(() => undefined)
  limit.cancel()
  if (node !== undefined) await stopInOrder(run, node)
}

async function nodeInit(run: Run): Promise<NodeInit> {
  const { io, options, listen, cluster, output } = run
  const { mdns, interface: interfaces, timing, priority, snapshotEvery } = options
  const token = cluster?.ownToken ?? (options.token === undefined ? undefined : await readToken(io, options.token))
  const genesis =
    cluster?.genesis ??
    (options.genesis === undefined ? undefined : await readSource(io, options.genesis, 'the genesis'))
  const logger = makeLogger(io, options.logLevel, options.json === true, (lines) => output.print(lines))
  run.lastWords = new LastWords(logger)
  for (const { name, present } of unknownInterfaces(interfaces ?? [])) {
    logger.warn({}, `--interface ${name}: nothing here has this name or address now; there are ${present.join(', ')}`)
  }
  return {
    dataDir: options.data,
    discovery: { mdns: mdns && interfaces !== undefined ? { interfaces } : mdns, seeds: options.seed ?? [] },
    logger: run.lastWords.logger,
    events: eventsOf(run),
    ...(token === undefined ? {} : { token }),
    ...(genesis === undefined ? {} : { genesis: new Uint8Array(genesis) }),
    ...(listen === undefined ? {} : { listen }),
    ...(timing === undefined ? {} : { timing }),
    ...(priority === undefined ? {} : { priority }),
    ...(snapshotEvery === undefined ? {} : { snapshots: { entriesMax: snapshotEvery } })
  }
}

/** Commands that an event names, as they can be pasted here. */
function pasteable(event: StampedNodeEvent, dataDir: string): StampedNodeEvent {
  const { event: name } = event
  if (name === 'alarm') return { ...event, detail: withDataDir(event.detail, dataDir) }
  if (name !== 'waiting') return event
  return { ...event, waitingFor: event.waitingFor.map((sentence) => withDataDir(sentence, dataDir)) }
}

/** Listens from before there is a node, so that its first events are seen as well. */
function eventsOf(run: Run): EventTarget {
  const events = new EventTarget()
  events.addEventListener('*', (event) => {
    const { detail } = event as CustomEvent<StampedNodeEvent>
    run.attempt = detail.attempt
    if (detail.event === 'stage') run.stage = detail.stage
    if (detail.event === 'ready') run.isReady = true
    run.compilers.hear(detail)
    run.output.event(pasteable(detail, run.options.data))
  })
  return events
}

async function untilEnd(run: Run, node: QuorateNode): Promise<void> {
  let control: ControlServer | undefined
  try {
    control = await serveControl(node, join(run.options.data, CONTROL_SOCKET))
    if (run.cluster !== undefined) invite(run, run.cluster, node)
    // Tokens that could not be removed stay for their owner only, and are useless once the cluster is founded.
    void forgetWhenReady(run, node).catch(() => {})
    await raceAbort(node.stopped, run.end.signal)
  } catch (error) {
    if (!isAskedFor(error)) throw error
  } finally {
    await stopInOrder(run, node)
    await control?.close()
  }
}

/** To stop was what somebody wanted, and the end is a good one. */
const isAskedFor = (reason: unknown): boolean =>
  reason instanceof ParentGone || (reason instanceof Interrupted && reason.exitCode !== EXIT.brokenPipe)

/** The tokens of the other seats, as long as somebody may need them. */
function invite(run: Run, cluster: NewCluster, node: QuorateNode): void {
  const { io, options, output, attempt } = run
  const invitations = cluster.invitations(options.mdns ? [] : node.status().addresses)
  output.print(noteLines(cluster))
  if (options.json !== true) output.print(invitationLines(invitations, io.stdout.isTTY === true))
  for (const { seat, file, command } of invitations) {
    output.extra({
      event: 'invitation',
      at: io.clock.wallNow(),
      node: node.peerId,
      cluster: node.clusterId ?? null,
      attempt,
      seat,
      file,
      command
    })
  }
}

/** Of a cluster that was made here, in this run or before: then nobody can need them any more. */
async function forgetWhenReady({ options, end }: Run, node: QuorateNode): Promise<void> {
  await node.ready({ signal: end.signal })
  await forgetTokens(options.data)
}

async function stopInOrder({ io }: Run, node: QuorateNode): Promise<void> {
  const limit = startDeadline(io.clock, STOP_MS_MAX, { reason: () => new StopTimeoutError() })
  try {
    await node.stop({ signal: limit.signal })
  } finally {
    limit.cancel()
  }
}
