/** What can go wrong between the command and the node that it talks to, and how any error crosses the socket and back. */
import { toHex } from '../core/bytes.ts'
import { InvariantError } from '../core/invariant.ts'
import { QuorateError } from '../core/errors.ts'

/** Nobody serves the control socket of this data directory. */
export class NodeNotRunningError extends QuorateError {
  constructor(dataDir: string, what: keyof typeof REASONS) {
    super('NodeNotRunningError', 'ERR_NODE_NOT_RUNNING', `no node runs on ${dataDir}: ${REASONS[what]}`, {
      details: { dataDir, reason: what },
      nextStep:
        what === 'no-directory'
          ? 'Check --data; it names the directory that `quorate up --data` was given.'
          : `Start it: quorate up --data ${dataDir}`
    })
  }
}

const REASONS = {
  'no-directory': 'there is no such directory',
  'no-socket': 'it has no control socket',
  'dead-socket': 'nobody answers on its control socket (its process has ended)',
  /** It was watched, and did not say that it stops. */
  vanished: 'its process ended without stopping in order (killed, out of memory, or its machine failed)'
} as const

/** The socket belongs to another user. */
export class ControlDeniedError extends QuorateError {
  constructor(socket: string, cause: unknown) {
    super('ControlDeniedError', 'ERR_CONTROL_DENIED', `permission denied on the control socket ${socket}`, {
      details: { socket },
      nextStep: 'Run the command as the user that runs the node.',
      cause
    })
  }
}

/** The connection broke after the request was sent: whether it took effect is not known. */
export class ControlLostError extends QuorateError {
  constructor(request: string, cause?: unknown) {
    super('ControlLostError', 'ERR_CONTROL_LOST', `the node closed the connection before it answered ${request}`, {
      details: { request },
      nextStep:
        'The outcome is unknown. Run `quorate status`, then repeat the request (a config change: with --if-version).',
      cause
    })
  }
}

const ROUTES_HELP =
  'Routes: GET /v1/status, /v1/members, /v1/config, /v1/config/history, /v1/events; PUT /v1/config; POST /v1/members/{promote,demote,remove,replace}, /v1/transfer, /v1/leave.'

/** The request itself is malformed: unknown path, wrong method, a body that is not what the route takes. */
export class ControlRequestError extends QuorateError {
  readonly status: number
  constructor(status: number, message: string, nextStep = ROUTES_HELP) {
    super('ControlRequestError', 'ERR_CONTROL_REQUEST', message, { details: { status }, nextStep })
    this.status = status
  }
}

/** The answer did not come in time; the node goes on with what it was doing. */
export class ControlTimeoutError extends QuorateError {
  constructor(request: string, timeoutMs: number) {
    super('ControlTimeoutError', 'ERR_CONTROL_TIMEOUT', `no answer to ${request} within ${timeoutMs} ms`, {
      details: { request, timeoutMs },
      nextStep: 'Run `quorate status` to see what the node waits for, or give it longer with --timeout.'
    })
  }
}

export type ErrorBody = ReturnType<QuorateError['toJSON']>

/** Any thrown value in the shape that crosses the socket. Bugs keep their text, so that a report can quote it. */
export function errorBody(error: unknown): ErrorBody {
  if (error instanceof QuorateError) return error.toJSON()
  const isError = error instanceof Error
  return {
    name: isError ? error.name : 'Error',
    code: error instanceof InvariantError ? 'ERR_BUG' : 'ERR_UNEXPECTED',
    message: isError ? error.message : String(error),
    details: {}
  }
}

/** For JSON.stringify: details of an error may hold what JSON cannot. */
export const plainValue = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? String(value) : value instanceof Uint8Array ? toHex(value) : value

/** The error that `errorBody` described: same name, code, message, details and next step. */
export function reviveError(body: unknown): QuorateError {
  const { name, code, message, details, nextStep } = (body ?? {}) as Partial<Record<keyof ErrorBody, unknown>>
  return new QuorateError(text(name, 'Error'), text(code, 'ERR_UNEXPECTED'), text(message, 'the node gave no reason'), {
    ...(typeof details === 'object' && details !== null ? { details: details as Record<string, unknown> } : {}),
    ...(typeof nextStep === 'string' ? { nextStep } : {})
  })
}

const text = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise)

/** HTTP is only the carrier; `name` and `code` in the body decide. */
export function httpStatus(body: ErrorBody): number {
  if (body.name === 'ControlRequestError') return Number(body.details['status'] ?? 400)
  if (body.name.endsWith('ConflictError')) return 409
  if (body.name === 'NoQuorumError' || body.name === 'NotReadyError') return 503
  if (/Timeout|Deadline/.test(body.name)) return 504
  if (/^(Invalid|NotJson|JsonText)/.test(body.name)) return 422
  return body.code === 'ERR_BUG' || body.code === 'ERR_UNEXPECTED' ? 500 : 403
}
