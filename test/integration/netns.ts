/**
 * Networks for tests: namespaces on one bridge, made with `ip` and removed afterwards. The bridge has a namespace of its own, so
 * nothing on this machine's own network is touched, and nothing can leave it.
 *
 *     const lan = createLan({ hosts: 5 })
 *     const child = lan.hosts[0].spawn(process.execPath, ['child.ts'])
 *     lan.hosts[1].ip('link', 'set', 'eth0', 'down')
 *     lan.remove()
 *
 * Needs root on Linux: ask `netnsUnavailable()` first and skip with its answer.
 */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess, SpawnOptions } from 'node:child_process'
import { messageOf } from '../../src/core/errors.ts'

export interface LanInit {
  readonly hosts: number
  /** First three numbers of the IPv4 subnet. Default `10.77.0`. */
  readonly subnet?: string
  /** Routes everything to the bridge, as on a LAN with a router. Default false: an air-gapped LAN. */
  readonly defaultRoute?: boolean
}

export interface LanHost {
  /** Of the namespace. */
  readonly name: string
  readonly address: string
  readonly interfaceName: 'eth0'
  /** Runs `ip …` inside. Throws with its words when it fails. */
  ip(...args: string[]): string
  /** Runs a command inside and waits for it. */
  exec(command: string, ...args: string[]): string
  /** Starts a process inside; it is killed when the LAN is removed. */
  spawn(command: string, args: readonly string[], options?: SpawnOptions): ChildProcess
  /** Pulls the cable, or puts it back. The host's own side stays up, as with a switch that died. */
  plug(isIn: boolean): void
  /** Takes the network card out. */
  removeCard(): void
  /** Puts a new network card in, under the old address. */
  insertCard(): void
}

export interface Lan {
  readonly hosts: readonly LanHost[]
  /** Namespace of the bridge, whose ports are `p0`, `p1`, … in the order of the hosts. */
  readonly hub: string
  /** Kills what was spawned and removes all namespaces. Idempotent. */
  remove(): void
}

let serial = 0
const leftOver = new Set<Lan>()
process.once('exit', () => {
  for (const lan of leftOver) lan.remove()
})

/** Why there can be no namespaces here; undefined when there can. */
export function netnsUnavailable(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces need Linux'
  const probe = `q${process.pid}-probe${serial++}`
  try {
    run('ip', 'netns', 'add', probe)
    try {
      run('ip', '-n', probe, 'link', 'add', 'br0', 'type', 'bridge')
    } finally {
      run('ip', 'netns', 'del', probe)
    }
    return undefined
  } catch (error) {
    return `network namespaces need root and iproute2: ${messageOf(error).split('\n')[0]}`
  }
}

export function createLan(init: LanInit): Lan {
  const prefix = `q${process.pid}-${serial++}`
  const subnet = init.subnet ?? '10.77.0'
  const hub = `${prefix}-hub`
  const names = Array.from({ length: init.hosts }, (_, i) => `${prefix}-h${i}`)
  const children = new Set<ChildProcess>()
  const lan: Lan = {
    hub,
    hosts: names.map((name, i) =>
      createHost({ name, hub, port: `p${i}`, address: `${subnet}.${i + 1}`, children, init, subnet })
    ),
    remove() {
      leftOver.delete(lan)
      for (const child of children) child.kill('SIGKILL')
      for (const name of [hub, ...names]) attempt(() => run('ip', 'netns', 'del', name))
    }
  }
  leftOver.add(lan)
  try {
    run('ip', 'netns', 'add', hub)
    run('ip', '-n', hub, 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0')
    run('ip', '-n', hub, 'addr', 'add', `${subnet}.254/24`, 'dev', 'br0')
    run('ip', '-n', hub, 'link', 'set', 'br0', 'up')
    for (const [i, host] of lan.hosts.entries()) {
      run('ip', 'netns', 'add', names[i]!)
      host.ip('link', 'set', 'lo', 'up')
      host.insertCard()
    }
    return lan
  } catch (error) {
    lan.remove()
    throw error
  }
}

interface HostInit {
  readonly name: string
  readonly hub: string
  readonly port: string
  readonly address: string
  readonly children: Set<ChildProcess>
  readonly init: LanInit
  readonly subnet: string
}

function createHost({ name, hub, port, address, children, init, subnet }: HostInit): LanHost {
  const ip = (...args: string[]): string => run('ip', '-n', name, ...args)
  return {
    name,
    address,
    interfaceName: 'eth0',
    ip,
    exec: (command, ...args) => run('ip', 'netns', 'exec', name, command, ...args),
    spawn(command, args, options = {}) {
      const child = spawn('ip', ['netns', 'exec', name, command, ...args], options)
      children.add(child)
      child.once('exit', () => children.delete(child))
      return child
    },
    plug: (isIn) => void run('ip', '-n', hub, 'link', 'set', port, isIn ? 'up' : 'down'),
    removeCard: () => void ip('link', 'del', 'eth0'),
    insertCard() {
      run('ip', '-n', hub, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
      run('ip', '-n', hub, 'link', 'set', port, 'master', 'br0', 'up')
      ip('addr', 'add', `${address}/24`, 'dev', 'eth0')
      ip('link', 'set', 'eth0', 'up')
      if (init.defaultRoute === true) ip('route', 'add', 'default', 'via', `${subnet}.254`)
    }
  }
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 })
}

function attempt(fn: () => void): void {
  try {
    fn()
  } catch {
    // It was not there, or is gone already.
  }
}
