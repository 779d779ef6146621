/**
 * A budget for strangers, apart from the members' connections.
 *
 * Anybody can open a socket. Until admission, a connection lives on this budget: so many in all, so many from one host, and so many
 * bytes each. A flood fills its own share and is turned away at the door, before any cryptography; it never becomes a
 * connection of libp2p, so it cannot push a member out (FAULTS B8 to B10). How long a stranger may take is libp2p's
 * `inboundUpgradeTimeout`, and the admission deadline within it.
 */
import type { ConnectionGater, MultiaddrConnection } from '@libp2p/interface'

export interface InboundBudgetInit {
  readonly strangersMax: number
  readonly strangersPerHostMax: number
  /** What a stranger may send before it is admitted. */
  readonly bytesMax: number
  readonly onTurnedAway: () => void
  readonly onLetIn: (connection: MultiaddrConnection) => void
}

export class InboundBudget implements ConnectionGater {
  readonly #init: InboundBudgetInit
  /** Timeline of the connection, which is what admission knows of it, to the host that it counts for. */
  readonly #strangers = new Map<object, { readonly host: string; readonly connection: MultiaddrConnection }>()
  readonly #perHost = new Map<string, number>()

  constructor(init: InboundBudgetInit) {
    this.#init = init
  }

  readonly denyInboundConnection = (connection: MultiaddrConnection): boolean => {
    const { strangersMax, strangersPerHostMax, onTurnedAway } = this.#init
    const host = hostOf(connection)
    const fromHost = this.#perHost.get(host) ?? 0
    if (this.#strangers.size >= strangersMax || fromHost >= strangersPerHostMax) {
      onTurnedAway()
      return true
    }
    this.#strangers.set(connection.timeline, { host, connection })
    this.#perHost.set(host, fromHost + 1)
    connection.addEventListener('close', () => this.release(connection.timeline))
    countBytes(connection, this.#init.bytesMax)
    this.#init.onLetIn(connection)
    return false
  }

  /** The peer behind this timeline is admitted, or gone. Idempotent. */
  release(timeline: object): void {
    const stranger = this.#strangers.get(timeline)
    if (stranger === undefined) return
    this.#strangers.delete(timeline)
    const { host, connection } = stranger
    const left = (this.#perHost.get(host) ?? 1) - 1
    if (left > 0) this.#perHost.set(host, left)
    else this.#perHost.delete(host)
    stopCounting(connection)
  }
}

/** An IPv6 host owns at least a /64: its addresses count together. */
function hostOf({ remoteAddr }: MultiaddrConnection): string {
  const first = remoteAddr.getComponents()[0]
  if (first?.value === undefined) return remoteAddr.toString()
  return first.name === 'ip6' ? prefix64(first.value) : first.value
}

export function prefix64(address: string): string {
  const [head = '', tail] = address.split('::', 2)
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':')
    while (groups.length + after.length < 8) groups.push('0')
    groups.push(...after)
  }
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, '').toLowerCase())
    .join(':')
}

interface Receiving {
  onData?: (data: Uint8Array) => void
}

/**
 * What libp2p buffers for a handshake under way (up to 4 MiB for each layer) cannot be set from outside, and a listener of our
 * own would steal bytes between two layers. So the method through which every byte arrives is shadowed until admission.
 */
function countBytes(connection: MultiaddrConnection, bytesMax: number): void {
  const receiving = connection as Receiving
  const original = receiving.onData
  if (original === undefined) return
  let bytes = 0
  receiving.onData = (data) => {
    bytes += data.byteLength
    if (bytes > bytesMax) connection.abort(new Error(`more than ${bytesMax} bytes before admission`))
    else original.call(connection, data)
  }
}

function stopCounting(connection: MultiaddrConnection): void {
  delete (connection as Receiving).onData
}
