/**
 * A switch that can lose packets without a word: network namespaces on one bridge, and nftables on the bridge. A host whose port
 * is cut sees nothing: its card stays up, its sends succeed, no connection closes.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { createLan, type Lan, netnsUnavailable } from '../../test/integration/netns.ts'
import { wallNow } from './yard.ts'

const RULES = `add table bridge cut
add set bridge cut ports { type ifname; }
add chain bridge cut forward { type filter hook forward priority 0; }
add rule bridge cut forward iifname @ports drop
add rule bridge cut forward oifname @ports drop
`

/** Why there can be none here; undefined when there can. */
export function switchUnavailable(): string | undefined {
  try {
    execFileSync('nft', ['--version'], { stdio: 'ignore' })
  } catch {
    return 'nft is not in the PATH (Debian: apt-get install nftables)'
  }
  return netnsUnavailable()
}

export class Switch {
  readonly #lan: Lan
  readonly #nft: ChildProcess

  constructor(hosts: number) {
    this.#lan = createLan({ hosts })
    // One that runs already takes a line in about a millisecond; a new one would take ten to start.
    this.#nft = spawn('ip', ['netns', 'exec', this.#lan.hub, 'nft', '-i'], { stdio: ['pipe', 'ignore', 'inherit'] })
    this.#nft.stdin!.write(RULES)
  }

  /** Namespaces by seat. */
  get namespaces(): readonly string[] {
    return this.#lan.hosts.map(({ name }) => name)
  }

  get addresses(): readonly string[] {
    return this.#lan.hosts.map(({ address }) => address)
  }

  /** Loses every packet from and to this host from now on; gives the moment before. */
  cut(host: number): number {
    const at = wallNow()
    this.#nft.stdin!.write(`add element bridge cut ports { "p${host}" }\n`)
    return at
  }

  heal(host: number): void {
    this.#nft.stdin!.write(`delete element bridge cut ports { "p${host}" }\n`)
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => void this.#nft.once('close', resolve))
    this.#nft.stdin!.end('quit\n')
    await ended
    this.#lan.remove()
  }
}
