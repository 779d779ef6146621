/**
 * Local control of a running node: HTTP/1.1 and JSON over a Unix socket in its data directory, mode 0600. Whoever may
 * open the socket may do everything; there is no TCP listener and no other authentication.
 *
 *     curl --unix-socket n1/control.sock http://localhost/v1/status
 *
 *     GET  /v1/status                                   NodeStatus
 *     GET  /v1/members                                  MemberInfo[]
 *     GET  /v1/config                                   ConfigVersion, or null before the first
 *     PUT  /v1/config          {value, ifVersion?, reason?}   ConfigVersion
 *     GET  /v1/config/history[?after=VERSION]           ConfigHistoryEntry[], oldest first
 *     POST /v1/members/promote  {peer}                  MemberInfo[]; the same for demote and remove
 *     POST /v1/members/replace  {peer, by?}             MemberInfo[]
 *     POST /v1/transfer        {to?}                    LeaderInfo
 *     POST /v1/leave                                    {left, node}; the node then stops
 *     GET  /v1/events                                   NDJSON of StampedNodeEvent, from now until the node stops
 *
 * Errors come as {"error": {name, code, message, details, nextStep?}} with a matching HTTP status; switch on `name` or
 * `code`. A client that hangs up aborts its request; the header `quorate-timeout-ms` says how long a decision may take before
 * the answer is NoQuorumError (or ControlTimeoutError, where a quorum is not what was missing). Left out: Windows (named pipes), TCP, health endpoints and metrics.
 */
export { type ControlClient, controlClient } from './control-client.ts'
export {
  ControlDeniedError,
  ControlLostError,
  ControlRequestError,
  ControlTimeoutError,
  errorBody,
  NodeNotRunningError,
  plainValue
} from './control-errors.ts'
export { CONTROL_SOCKET } from './control-path.ts'
export { type ControlOptions, type ControlServer, serveControl } from './control-server.ts'
