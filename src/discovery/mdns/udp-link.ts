/**
 * IPv4 multicast with one socket: bound to every address (the group must be received), joined on each chosen interface by
 * that interface's address, and told before every single send which interface to leave by. So it needs no route, and
 * nothing leaves where it should not; several programs on one machine (avahi, other nodes) share the port.
 *
 * Linux hands a socket every group that anybody on the machine has joined, so "received" says nothing about the interface:
 * the caller sorts by source address. IPv6 (ff02::fb) is left out: @libp2p/mdns speaks IPv4 only, and on networks without it
 * seeds with /ip6 addresses do the work.
 */
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import type { LinkEvents, LinkInterface, MulticastLink } from './link.ts'

export interface UdpLinkInit {
  /** Names (`lo`, `eth0`) or IPv4 addresses. Default: every interface, loopback included. */
  readonly interfaces?: readonly string[] | undefined
  readonly port?: number
  readonly group?: string
}

export const MDNS_PORT = 5353
export const MDNS_GROUP = '224.0.0.251'

const TTL = 255
/** A hundred answers may arrive while we are busy; the system's default holds about as many. */
const RECEIVE_BUFFER_BYTES = 1 << 20

export function createUdpLink(init: UdpLinkInit = {}): MulticastLink {
  return new UdpLink(init)
}

class UdpLink implements MulticastLink {
  readonly #init: UdpLinkInit
  readonly #port: number
  readonly #group: string
  #socket: Socket | undefined
  #joined = new Map<string, string>()
  /** One send at a time: between choosing the interface and the system call nobody else may choose. */
  #lastSend: Promise<unknown> = Promise.resolve()

  constructor(init: UdpLinkInit) {
    this.#init = init
    this.#port = init.port ?? MDNS_PORT
    this.#group = init.group ?? MDNS_GROUP
  }

  async open(events: LinkEvents): Promise<void> {
    const socket = createSocket({ type: 'udp4', reuseAddr: true })
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject)
        socket.bind({ port: this.#port, exclusive: true }, resolve)
      })
      socket.setMulticastTTL(TTL)
      socket.setMulticastLoopback(true)
    } catch (error) {
      socket.close()
      throw error
    }
    attempt(() => socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES))
    socket.removeAllListeners('error')
    // A socket reports an interface that went away; the next send and the missing echo say the same with more precision.
    socket.on('error', () => undefined)
    socket.on('message', (bytes, source) => events.onPacket(bytes, source))
    this.#socket = socket
    this.#joined = new Map()
  }

  interfaces(rejoin = false): readonly LinkInterface[] {
    const chosen = listInterfaces(this.#init.interfaces)
    const socket = this.#socket
    if (socket === undefined) return chosen
    const present = new Set(chosen.map(({ name }) => name))
    for (const [name, address] of this.#joined) {
      if (!present.has(name)) this.#leave(socket, name, address)
    }
    for (const { name, address } of chosen) {
      const before = this.#joined.get(name)
      if (before !== undefined && (rejoin || before !== address)) this.#leave(socket, name, before)
      // Joining twice is refused and does no harm. A device that was made anew under the old address has to be joined again,
      // and nothing else would tell us.
      attempt(() => socket.addMembership(this.#group, address))
      this.#joined.set(name, address)
    }
    return chosen
  }

  send(on: LinkInterface, bytes: Uint8Array): Promise<void> {
    const sent = this.#lastSend.then(() => this.#sendNow(on, bytes))
    this.#lastSend = sent.catch(() => undefined)
    return sent
  }

  async close(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    await this.#lastSend
    if (socket === undefined) return
    await new Promise<void>((resolve) => socket.close(() => resolve()))
  }

  #sendNow(on: LinkInterface, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = this.#socket
      if (socket === undefined) return resolve()
      // Throws when the address has just left this machine; the promise turns that into a rejection.
      socket.setMulticastInterface(on.address)
      socket.send(bytes, this.#port, this.#group, (error) => (error === null ? resolve() : reject(error)))
    })
  }

  #leave(socket: Socket, name: string, address: string): void {
    attempt(() => socket.dropMembership(this.#group, address))
    this.#joined.delete(name)
  }
}

/** The machine's interfaces with an IPv4 address that the user named, by name or address; all when nothing was named. */
export function listInterfaces(named: readonly string[] | undefined): LinkInterface[] {
  const found: LinkInterface[] = []
  for (const [name, infos = []] of Object.entries(networkInterfaces())) {
    const ip4 = infos.filter((info) => info.family === 'IPv4')
    const chosen = named?.includes(name) === false ? ip4.find((info) => named.includes(info.address)) : ip4[0]
    if (chosen === undefined) continue
    found.push({
      name,
      address: chosen.address,
      netmask: chosen.netmask,
      loopback: chosen.internal,
      hosts: infos.map((info) => info.address.toLowerCase())
    })
  }
  return found
}

function attempt(fn: () => void): void {
  try {
    fn()
  } catch {
    // The watchdog judges by what comes back, not by what the system answered.
  }
}
