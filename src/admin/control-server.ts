/** The serving side of the control socket; `index.ts` lists its routes. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import { TimeoutError } from '../core/deadline.ts'
import { fromUtf8 } from '../core/bytes.ts'
import type { JsonValue } from '../core/json.ts'
import { parseJsonText } from '../core/json-text.ts'
import type { QuorateNode, StampedNodeEvent } from '../node/types.ts'
import { ControlRequestError, ControlTimeoutError, errorBody, httpStatus, plainValue } from './control-errors.ts'
import { placeSocket } from './control-path.ts'
import { http } from './http.ts'
import { TIMEOUT_HEADER } from './limits.ts'

export interface ControlOptions {
  readonly clock?: Clock
  /** Longest request body. Default 1 MiB. */
  readonly bodyBytesMax?: number
  /** Longest time that one request may take, the event stream excepted. Default 60 s. */
  readonly requestMsMax?: number
  /** How long `close` waits for requests in flight. Default 2 s. */
  readonly closeMsMax?: number
  /** A reader of /v1/events that is this far behind is cut off. Default 1 MiB. */
  readonly eventBacklogBytesMax?: number
}

export interface ControlServer {
  /** Where the socket really lies (see control-path.ts). */
  readonly path: string
  /** Stops listening, lets requests in flight finish, removes the socket. Idempotent. */
  close(): Promise<void>
}

type Resolved = Required<ControlOptions>
interface Call {
  readonly node: QuorateNode
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly signal: AbortSignal
  readonly options: Resolved
}
type Handler = (call: Call) => unknown

/** Serves `node` on the Unix socket `path` (mode 0600). The caller holds the lock of the data directory around it. */
export async function serveControl(
  node: QuorateNode,
  path: string,
  options: ControlOptions = {}
): Promise<ControlServer> {
  const resolved: Resolved = {
    clock: systemClock,
    bodyBytesMax: 1 << 20,
    requestMsMax: 60_000,
    closeMsMax: 2_000,
    eventBacklogBytesMax: 1 << 20,
    ...options
  }
  const streams = new Set<ServerResponse>()
  const server = http.createServer({ maxHeaderSize: 8_192 }, (request, response) => {
    if (request.url === '/v1/events') streamEvents(node, request, response, resolved, streams)
    else void answer(node, request, response, resolved)
  })
  server.maxConnections = 64
  server.headersTimeout = 5_000
  server.requestTimeout = 15_000
  server.on('clientError', (_error, socket) => socket.destroy())

  const place = await placeSocket(path)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(place.bindPath, resolve)
  })
  // From here on only an accept can fail, and that concerns its client alone.
  server.on('error', () => {})
  await place.settle()

  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    await place.clear()
    for (const stream of streams) stream.end()
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    server.closeIdleConnections()
    const timer = resolved.clock.setTimer(resolved.closeMsMax, () => server.closeAllConnections())
    await closed
    timer.cancel()
  }
  return { path: place.path, close: () => (closing ??= close()) }
}

const ROUTES: Readonly<Record<string, Readonly<Partial<Record<string, Handler>>>>> = {
  '/v1/status': { GET: ({ node }) => node.status() },
  '/v1/members': { GET: ({ node }) => node.members() },
  '/v1/config': { GET: ({ node }) => node.config.get() ?? null, PUT: setConfig },
  '/v1/config/history': { GET: history },
  '/v1/members/promote': { POST: (call) => changeMember(call, 'promote') },
  '/v1/members/demote': { POST: (call) => changeMember(call, 'demote') },
  '/v1/members/remove': { POST: (call) => changeMember(call, 'remove') },
  '/v1/members/replace': { POST: replaceMember },
  '/v1/transfer': { POST: transfer },
  '/v1/leave': { POST: leave }
}

async function answer(
  node: QuorateNode,
  request: IncomingMessage,
  response: ServerResponse,
  options: Resolved
): Promise<void> {
  const end = new AbortController()
  const timeoutMs = timeoutOf(request, options)
  const timer = options.clock.setTimer(timeoutMs, () => end.abort(new TimeoutError(timeoutMs)))
  const onGone = (): void => end.abort(new ControlRequestError(499, 'the client went away'))
  response.once('close', onGone)
  try {
    const handler = route(request)
    const body = await handler({ node, request, response, signal: end.signal, options })
    send(response, 200, body)
  } catch (error) {
    // A node that is waiting for a decision answers a deadline with what is missing; anything else is only late.
    const late = error instanceof TimeoutError
    const body = errorBody(late ? new ControlTimeoutError(`${request.method} ${request.url}`, timeoutMs) : error)
    send(response, httpStatus(body), { error: body })
  } finally {
    timer.cancel()
    response.off('close', onGone)
  }
}

/** What the client grants, within our own limit. */
function timeoutOf({ headers }: IncomingMessage, { requestMsMax }: Resolved): number {
  const granted = Number(headers[TIMEOUT_HEADER])
  return granted > 0 ? Math.min(granted, requestMsMax) : requestMsMax
}

/** `history` takes a query, and checks it. */
function route(request: IncomingMessage): Handler {
  const path = (request.url ?? '').replace(/^(\/v1\/config\/history)\?.*$/, '$1')
  const methods = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined
  if (methods === undefined) throw new ControlRequestError(404, `no such path: ${request.url ?? ''}`)
  const handler = methods[request.method ?? '']
  if (handler !== undefined) return handler
  throw new ControlRequestError(405, `${request.url} takes ${Object.keys(methods).join(', ')}, not ${request.method}`)
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed || response.headersSent) return
  const text = `${JSON.stringify(body, plainValue)}\n`
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    // What is left of an unread body must not be taken for the next request.
    connection: 'close'
  })
  response.end(text)
}

function history({ node, request: { url = '' } }: Call): unknown {
  const query = new URL(url, 'http://localhost').searchParams
  const [after = '0', ...more] = query.getAll('after')
  const isRead = /^\d+$/.test(after) && more.length === 0 && [...query.keys()].every((name) => name === 'after')
  if (!isRead) throw new ControlRequestError(400, `the query is not after=VERSION: ${url}`)
  return node.config.history().filter(({ version }) => version > Number(after))
}

async function setConfig({ node, request, signal, options }: Call): Promise<unknown> {
  const body = await readObject(request, options, ['value', 'ifVersion', 'reason'])
  const { value, ifVersion, reason } = body
  if (value === undefined) throw new ControlRequestError(400, 'the body has no "value"')
  if (ifVersion !== undefined && !(Number.isSafeInteger(ifVersion) && Number(ifVersion) >= 0)) {
    throw new ControlRequestError(400, `"ifVersion" is not a whole number: ${JSON.stringify(ifVersion)}`)
  }
  if (reason !== undefined && typeof reason !== 'string') throw new ControlRequestError(400, '"reason" is not a text')
  return node.config.set(value as JsonValue, {
    signal,
    ...(ifVersion === undefined ? {} : { ifVersion: Number(ifVersion) }),
    ...(reason === undefined ? {} : { reason })
  })
}

async function transfer({ node, request, signal, options }: Call): Promise<unknown> {
  const { to } = await readObject(request, options, ['to'])
  if (to !== undefined && typeof to !== 'string') throw new ControlRequestError(400, '"to" is not a PeerId text')
  return node.transfer({ signal, ...(to === undefined ? {} : { to }) })
}

async function changeMember(
  { node, request, signal, options }: Call,
  change: 'promote' | 'demote' | 'remove'
): Promise<unknown> {
  return node[change](peerOf(await readObject(request, options, ['peer'])), { signal })
}

async function replaceMember({ node, request, signal, options }: Call): Promise<unknown> {
  const body = await readObject(request, options, ['peer', 'by'])
  const { by } = body
  if (by !== undefined && typeof by !== 'string') throw new ControlRequestError(400, '"by" is not a PeerId text')
  return node.replace(peerOf(body), { signal, ...(by === undefined ? {} : { by }) })
}

function peerOf({ peer }: Readonly<Record<string, unknown>>): string {
  if (typeof peer === 'string' && peer !== '') return peer
  throw new ControlRequestError(400, '"peer" is not a PeerId text')
}

async function leave({ node, request, signal, options }: Call): Promise<unknown> {
  await readObject(request, options, [])
  await node.leave({ signal })
  return { left: true, node: node.peerId }
}

/** The body as a JSON object with no other keys than these; no body is the empty object. */
async function readObject(
  request: IncomingMessage,
  options: Resolved,
  keys: readonly string[]
): Promise<Readonly<Record<string, unknown>>> {
  const text = await readBody(request, options.bodyBytesMax)
  if (text === '') return {}
  let value: unknown
  try {
    value = parseJsonText(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new ControlRequestError(400, `the body is not JSON: ${error.message}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ControlRequestError(400, 'the body is not a JSON object')
  }
  const unknown = Object.keys(value).find((key) => !keys.includes(key))
  if (unknown !== undefined) throw new ControlRequestError(400, `unknown key ${JSON.stringify(unknown)} in the body`)
  return value as Record<string, unknown>
}

/**
 * By events: a body is mostly here as soon as its head is, and an iterator over it takes a tenth of a millisecond longer, which a
 * hand-over waits for. What is too much is not kept.
 */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<string> {
  const tooLarge = (): ControlRequestError =>
    new ControlRequestError(413, `the body is larger than ${bytesMax} bytes`, 'Make the config smaller.')
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge()
  const chunks: Buffer[] = []
  let bytes = 0
  await new Promise<void>((resolve, reject) => {
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength
      if (bytes > bytesMax) reject(tooLarge())
      else chunks.push(chunk)
    })
    request.on('end', resolve)
    // Also of a client that hangs up in the middle.
    request.on('error', reject)
  })
  try {
    return fromUtf8(Buffer.concat(chunks))
  } catch {
    throw new ControlRequestError(400, 'the body is not UTF-8')
  }
}

function streamEvents(
  node: QuorateNode,
  request: IncomingMessage,
  response: ServerResponse,
  options: Resolved,
  streams: Set<ServerResponse>
): void {
  if (request.method !== 'GET') {
    const body = errorBody(new ControlRequestError(405, `/v1/events takes GET, not ${request.method}`))
    return send(response, 405, { error: body })
  }
  const onEvent = ({ detail }: CustomEvent<StampedNodeEvent>): void => {
    if (response.destroyed || response.writableEnded) return
    if (response.writableLength > options.eventBacklogBytesMax) return void response.destroy()
    response.write(`${JSON.stringify(detail, plainValue)}\n`)
    if (detail.event === 'stopped') response.end()
  }
  response.writeHead(200, { 'content-type': 'application/x-ndjson', connection: 'close' })
  response.flushHeaders()
  node.addEventListener('*', onEvent)
  streams.add(response)
  response.once('close', () => {
    node.removeEventListener('*', onEvent)
    streams.delete(response)
  })
}
