/**
 * etcd on loopback, when `etcd` is in the PATH (Debian: `etcd-server`), and as much of its gRPC as a benchmark needs: Put and
 * Status over one HTTP/2 connection a member, written by hand so that nothing has to be installed for it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type ClientHttp2Session } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { portsFrom } from './ports.ts'
import type { Peer } from './peer.ts'
import { wallNow } from './yard.ts'

/** Another build of it may be named. */
const ETCD = process.env['ETCD'] ?? 'etcd'

/** Undefined when it is not installed. */
export function etcdVersion(): string | undefined {
  try {
    return /etcd Version: (\S+)/.exec(execFileSync(ETCD, ['--version'], { encoding: 'utf8', stdio: 'pipe' }))?.[1]
  } catch {
    return undefined
  }
}

export interface EtcdInit {
  readonly size: number
  readonly heartbeatMs: number
  readonly electionMs: number
}

class Member {
  readonly child: ChildProcess
  readonly clientPort: number
  readonly exited: Promise<void>
  ended = false
  #session: ClientHttp2Session | undefined

  constructor(clientPort: number, words: readonly string[]) {
    this.clientPort = clientPort
    // Its log on a pipe that nobody reads would stop it one day.
    this.child = spawn(ETCD, words, { stdio: 'ignore' })
    this.exited = new Promise((resolve) => {
      this.child.once('close', () => {
        this.ended = true
        this.#session?.destroy()
        resolve()
      })
    })
  }

  /** One unary call; rejects on any failure. */
  call(path: string, message: Uint8Array): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    const stream = this.#open().request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers'
    })
    const chunks: Buffer[] = []
    let status: unknown
    stream.on('response', (headers) => (status = headers['grpc-status']))
    stream.on('trailers', (headers) => (status ??= headers['grpc-status']))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('close', () => {
      if (status === '0') resolve(Buffer.concat(chunks).subarray(5))
      else reject(new Error(`${path} ended with grpc-status ${String(status)}`))
    })
    const head = Buffer.alloc(5)
    head.writeUInt32BE(message.byteLength, 1)
    stream.end(Buffer.concat([head, message]))
    return promise
  }

  #open(): ClientHttp2Session {
    if (this.#session === undefined || this.#session.destroyed || this.#session.closed) {
      this.#session = connect(`http://127.0.0.1:${this.clientPort}`)
      this.#session.on('error', () => {})
    }
    return this.#session
  }

  hangUp(): void {
    this.#session?.destroy()
  }
}

/** A member that is asked while nobody leads answers late or never, so it is asked anew this often; the first answer counts. */
const ASK_EVERY_MS = 4
const PATIENCE_MS = 60_000

export class Etcd implements Peer {
  readonly #init: EtcdInit
  readonly #path = mkdtempSync(join(tmpdir(), 'quorate-bench-etcd-'))
  readonly #port = portsFrom()
  readonly #members: Member[] = []

  constructor(init: EtcdInit) {
    this.#init = init
  }

  #start(i: number, state: 'new' | 'existing'): void {
    const { size, heartbeatMs, electionMs } = this.#init
    const peer = (at: number): string => url(this.#port + 2 * at)
    const client = this.#port + 2 * i + 1
    const cluster = Array.from({ length: size }, (_, at) => `m${at}=${peer(at)}`).join(',')
    this.#members[i] = new Member(client, [
      ...['--name', `m${i}`, '--data-dir', join(this.#path, `m${i}`)],
      ...['--listen-peer-urls', peer(i), '--initial-advertise-peer-urls', peer(i)],
      ...['--listen-client-urls', url(client), '--advertise-client-urls', url(client)],
      ...['--initial-cluster', cluster, '--initial-cluster-state', state],
      ...['--heartbeat-interval', String(heartbeatMs), '--election-timeout', String(electionMs)]
    ])
  }

  /** From the start of the first process until a write was accepted by anyone, ms. */
  async startAll(): Promise<number> {
    const at = wallNow()
    for (let i = 0; i < this.#init.size; i++) this.#start(i, 'new')
    return (await this.#firstWrite(this.#members)) - at
  }

  /** From SIGKILL of the leader until a write was accepted by anyone, ms. The member is back when this resolves. */
  async killLeader(writesBefore: number): Promise<number> {
    const leader = await this.#leader()
    const rest = this.#members.filter((member) => member !== leader)
    const request = putRequest(new Uint8Array(16))
    for (const member of rest) {
      for (let i = 0; i < writesBefore; i++) await member.call('/etcdserverpb.KV/Put', request)
    }
    const at = wallNow()
    leader.child.kill('SIGKILL')
    const took = (await this.#firstWrite(rest)) - at
    await leader.exited
    const i = this.#members.indexOf(leader)
    this.#start(i, 'existing')
    await this.#firstWrite([this.#members[i]!])
    return took
  }

  /** The member to which writes cost no forwarding. */
  async leaderPut(): Promise<(value: Uint8Array) => Promise<unknown>> {
    const leader = await this.#leader()
    return (value) => leader.call('/etcdserverpb.KV/Put', putRequest(value))
  }

  pids(): readonly number[] {
    return this.#members.map(({ child }) => child.pid!)
  }

  async close(): Promise<void> {
    for (const member of this.#members) if (!member.ended) member.child.kill('SIGKILL')
    await Promise.all(this.#members.map(({ exited }) => exited))
    rmSync(this.#path, { recursive: true, force: true })
  }

  async #leader(): Promise<Member> {
    for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; await sleep(20)) {
      const asked = this.#members.map((member) => member.call('/etcdserverpb.Maintenance/Status', new Uint8Array()))
      const answers = await Promise.allSettled(asked)
      const states = answers.map((answer) => (answer.status === 'fulfilled' ? statusOf(answer.value) : undefined))
      const leaders = new Set(states.map((state) => state?.leader))
      const leader = states.findIndex((state) => state !== undefined && state.leader === state.self)
      if (leaders.size === 1 && leader !== -1) return this.#members[leader]!
    }
    throw new Error('etcd has no leader')
  }

  /** When the first of these accepted a write. */
  #firstWrite(members: readonly Member[]): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const request = putRequest(new Uint8Array(16))
    const ask = (): void => {
      for (const member of members) {
        member.call('/etcdserverpb.KV/Put', request).then(
          () => resolve(wallNow()),
          () => {}
        )
      }
    }
    ask()
    const again = setInterval(ask, ASK_EVERY_MS)
    const late = setTimeout(() => reject(new Error('etcd accepted no write in time')), PATIENCE_MS)
    return promise.finally(() => {
      clearInterval(again)
      clearTimeout(late)
      // What is still under way must not count as load of the next round.
      for (const member of members) member.hangUp()
    })
  }
}

const url = (port: number): string => `http://127.0.0.1:${port}`

const sleep = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

/** Protocol Buffers, as much as is used: two byte fields; two numbers out of an answer. */
function putRequest(value: Uint8Array): Buffer {
  const key = Buffer.from('bench')
  return Buffer.concat([
    Buffer.from([0x0a, ...varint(key.length)]),
    key,
    Buffer.from([0x12, ...varint(value.length)]),
    value
  ])
}

function varint(value: number): number[] {
  const bytes: number[] = []
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128)
  return [...bytes, value]
}

/** StatusResponse: header (1) with member_id (2); leader (4). */
function statusOf(bytes: Uint8Array): { readonly self: bigint | undefined; readonly leader: bigint | undefined } {
  const fields = protoFields(bytes)
  const header = fields.get(1)
  const self = header instanceof Uint8Array ? protoFields(header).get(2) : undefined
  const leader = fields.get(4)
  return { self: typeof self === 'bigint' ? self : undefined, leader: typeof leader === 'bigint' ? leader : undefined }
}

function protoFields(bytes: Uint8Array): Map<number, bigint | Uint8Array> {
  const found = new Map<number, bigint | Uint8Array>()
  let at = 0
  const number = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error('a protocol buffer ends early')
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (at < bytes.byteLength) {
    const tag = Number(number())
    if ((tag & 7) === 0) found.set(tag >> 3, number())
    else {
      const length = Number(number())
      found.set(tag >> 3, bytes.subarray(at, at + length))
      at += length
    }
  }
  return found
}
