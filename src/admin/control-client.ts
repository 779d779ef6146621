/** The calling side of the control socket: one method for each route, with the node's own errors thrown again here. */
import { stat } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import type { JsonValue } from '../core/json.ts'
import type {
  CallOptions,
  ConfigHistoryEntry,
  ConfigVersion,
  LeaderInfo,
  MemberInfo,
  NodeStatus,
  StampedNodeEvent
} from '../node/types.ts'
import { ControlDeniedError, ControlLostError, NodeNotRunningError, reviveError } from './control-errors.ts'
import { findSocket } from './control-path.ts'
import { http } from './http.ts'
import { TIMEOUT_HEADER } from './limits.ts'

export interface DecideOptions extends CallOptions {
  /** How long the node may take to get it decided; then it answers NoQuorumError. Default and most: the server's limit. */
  readonly timeoutMs?: number | undefined
}

export interface ControlClient {
  status(options?: CallOptions): Promise<NodeStatus>
  members(options?: CallOptions): Promise<readonly MemberInfo[]>
  /** Undefined before the first version is applied. */
  config(options?: CallOptions): Promise<ConfigVersion | undefined>
  /** Oldest first; of versions behind `after`, when it is given. */
  history(options?: CallOptions & { readonly after?: number | undefined }): Promise<readonly ConfigHistoryEntry[]>
  setConfig(
    value: JsonValue,
    options?: DecideOptions & { readonly ifVersion?: number | undefined; readonly reason?: string | undefined }
  ): Promise<ConfigVersion>
  transfer(options?: DecideOptions & { readonly to?: string | undefined }): Promise<LeaderInfo>
  /** The members after the change. */
  changeMember(
    change: 'promote' | 'demote' | 'remove',
    peer: string,
    options?: DecideOptions
  ): Promise<readonly MemberInfo[]>
  replace(peer: string, options?: DecideOptions & { readonly by?: string | undefined }): Promise<readonly MemberInfo[]>
  leave(options?: DecideOptions): Promise<void>
  /** Resolves when subscribed: events from then on, until the node stops. Leave the loop, or abort, to hang up. */
  events(options?: CallOptions): Promise<AsyncIterable<StampedNodeEvent>>
}

const ANSWER_BYTES_MAX = 16 << 20

/** Talks to the node that runs on `dataDir`. Makes no connection before it is asked something. */
export function controlClient(dataDir: string): ControlClient {
  const ask = async <T>(method: string, path: string, options: DecideOptions = {}, body?: object): Promise<T> =>
    (await readAnswer(await call(dataDir, method, path, options, body), `${method} ${path}`)) as T
  return {
    status: (options) => ask('GET', '/v1/status', options),
    members: (options) => ask('GET', '/v1/members', options),
    config: async (options) => (await ask<ConfigVersion | null>('GET', '/v1/config', options)) ?? undefined,
    history: ({ after, ...options } = {}) =>
      ask('GET', `/v1/config/history${after === undefined ? '' : `?after=${after}`}`, options),
    setConfig: (value, { ifVersion, reason, ...options } = {}) =>
      ask('PUT', '/v1/config', options, { value, ifVersion, reason }),
    transfer: ({ to, ...options } = {}) => ask('POST', '/v1/transfer', options, { to }),
    changeMember: (change, peer, options) => ask('POST', `/v1/members/${change}`, options, { peer }),
    replace: (peer, { by, ...options } = {}) => ask('POST', '/v1/members/replace', options, { peer, by }),
    leave: async (options) => void (await ask('POST', '/v1/leave', options, {})),
    events: (options = {}) => events(dataDir, options)
  }
}

async function call(
  dataDir: string,
  method: string,
  path: string,
  options: DecideOptions,
  body?: object
): Promise<IncomingMessage> {
  options.signal?.throwIfAborted()
  const socketPath = await findSocket(dataDir)
  const text = body === undefined ? '' : JSON.stringify(body)
  try {
    return await new Promise<IncomingMessage>((resolve, reject) => {
      const request = http.request({
        socketPath,
        method,
        path,
        agent: false,
        headers: {
          host: 'localhost',
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
          ...(options.timeoutMs === undefined ? {} : { [TIMEOUT_HEADER]: Math.ceil(options.timeoutMs) })
        },
        ...(options.signal === undefined ? {} : { signal: options.signal })
      })
      request.once('response', resolve)
      request.on('error', reject)
      request.end(text)
    })
  } catch (error) {
    throw await explain(dataDir, socketPath, `${method} ${path}`, options, error as NodeJS.ErrnoException)
  }
}

async function explain(
  dataDir: string,
  socket: string,
  request: string,
  options: CallOptions,
  cause: NodeJS.ErrnoException
): Promise<unknown> {
  if (options.signal?.aborted === true) return options.signal.reason
  const { code } = cause
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    const exists = await stat(dataDir).catch(() => undefined)
    return new NodeNotRunningError(dataDir, exists === undefined ? 'no-directory' : 'no-socket')
  }
  if (code === 'ECONNREFUSED') return new NodeNotRunningError(dataDir, 'dead-socket')
  if (code === 'EACCES' || code === 'EPERM') return new ControlDeniedError(socket, cause)
  return new ControlLostError(request, cause)
}

async function readAnswer(response: IncomingMessage, request: string): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.byteLength
      if (bytes > ANSWER_BYTES_MAX) throw new ControlLostError(`${request} (the answer is larger than it may be)`)
      chunks.push(chunk)
    }
  } catch (error) {
    throw error instanceof ControlLostError ? error : new ControlLostError(request, error)
  }
  const answer = parse(Buffer.concat(chunks).toString(), request)
  if (response.statusCode === 200) return answer
  throw reviveError((answer as { error?: unknown } | null)?.error)
}

function parse(text: string, request: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ControlLostError(request, error)
  }
}

async function events(dataDir: string, options: CallOptions): Promise<AsyncIterable<StampedNodeEvent>> {
  const response = await call(dataDir, 'GET', '/v1/events', options)
  if (response.statusCode !== 200) await readAnswer(response, 'GET /v1/events')
  return eventLines(response, options)
}

async function* eventLines(
  response: IncomingMessage,
  options: CallOptions
): AsyncGenerator<StampedNodeEvent, void, void> {
  response.setEncoding('utf8')
  let rest = ''
  try {
    for await (const chunk of response as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) yield parse(line, 'GET /v1/events') as StampedNodeEvent
    }
  } catch (error) {
    if (options.signal?.aborted === true) throw options.signal.reason
    throw error instanceof ControlLostError ? error : new ControlLostError('GET /v1/events', error)
  } finally {
    response.destroy()
  }
}
