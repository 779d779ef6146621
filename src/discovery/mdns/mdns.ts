/**
 * mDNS discovery: one `Station` per interface says when to speak, the `AddressBook` says what was learnt, the link carries
 * packets. What is here only ties them to a clock. docs/protocol/discovery.md has the wire and the figures.
 *
 * Everything that arrives is a stranger's word: capped before it is decoded (`packets.ts`), taken only from sources on a
 * link in use, kept in a capped book, and passed on as a hint to be proved by a handshake. Nothing here throws at a packet.
 */
import type { Clock, Timer } from '../../core/clock.ts'
import { messageOf } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import type { DecodedPacket } from 'dns-packet'
import { sameSubnet } from '../address.ts'
import type { Discovery, DiscoveryEvents, PeerHint } from '../port.ts'
import { AddressBook } from './address-book.ts'
import type { AddressBookInit } from './address-book.ts'
import { announcedOn, worthDialling } from './reachable.ts'
import type { LinkInterface, MulticastLink } from './link.ts'
import { MulticastAlarms } from './multicast-alarms.ts'
import { decodePacket, encodeQuery, encodeResponse } from './packets.ts'
import {
  ANNOUNCEMENT_TTL_S,
  createAnnouncementReader,
  readPointers,
  sameName,
  writeAnnouncement,
  writeGoodbye,
  writePointer
} from './records.ts'
import type { AnnouncementReader } from './records.ts'
import { Station } from './station.ts'
import { createUdpLink, MDNS_PORT } from './udp-link.ts'

export interface MdnsInit {
  readonly peerId: string
  /** Our own addresses now, as multiaddr texts; asked again and again, because they change. */
  readonly addresses: () => readonly string[]
  /** See `serviceTagOf`. */
  readonly serviceTag: string
  readonly clock: Clock
  readonly random: Random
  /** Names (`lo`, `eth0`) or IPv4 addresses; nothing leaves by any other. Default: every interface, loopback included. */
  readonly interfaces?: readonly string[]
  /** Default 5353. */
  readonly port?: number
  readonly book?: Partial<AddressBookInit>
  /** For tests: a link in memory. */
  readonly link?: MulticastLink
}

export interface Mdns extends Discovery {
  /** Our addresses have just changed, or we have just got some: announces them now instead of within two seconds. */
  announce(): void
  /** Asks the link again, with a new burst of queries. */
  search(): void
}

export const createMdns = (init: MdnsInit): Mdns => new MdnsDiscovery(init)

/** How often interfaces and our own addresses are looked at. */
const LOOK_MS = 2_000
const REOPEN_MAX_MS = 30_000
const ASKERS_WITH_NEWS_MAX = 64
/** 62 bits of chance; shorter than libp2p's 63 letters, because known answers are lists of these. */
const INSTANCE_LENGTH = 12
const INSTANCE_LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** The library's types do not know the name of type 255. */
const ASKED_TYPES: ReadonlySet<string> = new Set(['PTR', 'ANY'])

interface Outlet {
  on: LinkInterface
  readonly station: Station
  /** Undefined while we have no address that can be reached on this interface. */
  announcement: Uint8Array | undefined
  lastError: string | undefined
  /** Sources whose list of known answers goes on, and names somebody whom we do not know. */
  readonly newsFrom: Set<string>
}

class MdnsDiscovery implements Mdns {
  readonly #init: MdnsInit
  readonly #link: MulticastLink
  readonly #reader: AnnouncementReader
  #book: AddressBook
  readonly #outlets = new Map<string, Outlet>()
  #events: DiscoveryEvents | undefined
  #open = false
  #timer: Timer | undefined
  #timerAt = Infinity
  #lookAt = Infinity
  #instance = ''
  #announced = ''
  readonly #alarms: MulticastAlarms
  #reopenMs = LOOK_MS

  constructor(init: MdnsInit) {
    this.#init = init
    this.#link =
      init.link ??
      createUdpLink({ interfaces: init.interfaces, ...(init.port === undefined ? {} : { port: init.port }) })
    this.#reader = createAnnouncementReader(init.serviceTag)
    this.#book = new AddressBook(init.book)
    this.#alarms = new MulticastAlarms(init.interfaces, (alarm) => this.#events?.onAlarm(alarm))
  }

  /** Resolves when the link is open and the first packets are on their way. A port that cannot be had is an alarm, not an error: seeds may still do. */
  async start(events: DiscoveryEvents): Promise<void> {
    if (this.#events !== undefined) return
    this.#events = events
    await this.#openLink()
    this.#wake()
  }

  async stop(): Promise<void> {
    if (this.#events === undefined) return
    this.#events = undefined
    this.#timer?.cancel()
    this.#timer = undefined
    const goodbye = encodeResponse(writeGoodbye(this.#init.serviceTag, this.#instance))
    await Promise.allSettled(
      [...this.#outlets.values()]
        .filter(({ announcement }) => announcement !== undefined)
        .map(({ on }) => this.#link.send(on, goodbye))
    )
    this.#forgetEverything()
    await this.#link.close()
  }

  /** So that a later start begins like the first. */
  #forgetEverything(): void {
    this.#outlets.clear()
    this.#book = new AddressBook(this.#init.book)
    this.#open = false
    this.#lookAt = Infinity
    this.#announced = ''
    this.#alarms.forgetAll()
    this.#reopenMs = LOOK_MS
  }

  announce(): void {
    if (this.#events === undefined || !this.#open) return
    this.#look(this.#init.clock.now())
    this.#wake()
  }

  search(): void {
    const now = this.#init.clock.now()
    for (const { station } of this.#outlets.values()) station.search(now)
    this.#wake()
  }

  // Time

  async #openLink(): Promise<void> {
    const now = this.#init.clock.now()
    try {
      await this.#link.open({ onPacket: (bytes, source) => this.#onPacket(bytes, source) })
    } catch (error) {
      this.#alarms.blocked(`UDP port ${this.#init.port ?? MDNS_PORT} cannot be used: ${messageOf(error)}`)
      this.#lookAt = now + this.#reopenMs
      this.#reopenMs = Math.min(REOPEN_MAX_MS, this.#reopenMs * 2)
      return
    }
    if (this.#events === undefined) return this.#link.close()
    this.#open = true
    this.#look(this.#init.clock.now())
  }

  /** Does what is due and sets the timer for the rest. */
  #wake(): void {
    if (this.#events === undefined) return
    const now = this.#init.clock.now()
    if (this.#lookAt <= now) {
      this.#lookAt = Infinity
      if (this.#open) this.#look(now)
      else void this.#openLink().then(() => this.#wake())
    }
    this.#tell(this.#book.expire(now))
    for (const outlet of this.#outlets.values()) this.#operate(outlet, now)
    this.#setTimer()
  }

  #setTimer(): void {
    let at = Math.min(this.#lookAt, this.#book.nextExpiryAt())
    for (const { station } of this.#outlets.values()) at = Math.min(at, station.nextAt())
    if (this.#timer !== undefined && this.#timerAt === at) return
    this.#timer?.cancel()
    this.#timerAt = at
    const { clock } = this.#init
    const fire = (): void => {
      // Cleared first: a timer may fire a hair early, and the same time has to be waited for again then.
      this.#timer = undefined
      this.#wake()
    }
    this.#timer = at === Infinity ? undefined : clock.setTimer(at - clock.now(), fire)
  }

  /** Looks at the interfaces and at our own addresses; what is new is spoken about at once. */
  #look(now: number): void {
    this.#lookAt = now + LOOK_MS
    const present = new Map(this.#link.interfaces().map((on) => [on.name, on]))
    for (const [name, { on }] of this.#outlets) {
      if (present.get(name)?.address === on.address) continue
      this.#outlets.delete(name)
      this.#alarms.forget(name)
      this.#tell(this.#book.forgetInterface(name, now))
    }
    const added = new Set<Outlet>()
    for (const [name, on] of present) {
      const known = this.#outlets.get(name)
      if (known !== undefined) {
        known.on = on
        continue
      }
      const outlet = this.#newOutlet(on, now)
      this.#outlets.set(name, outlet)
      added.add(outlet)
    }
    this.#alarms.checkInterfaces(this.#outlets.size)
    if (!this.#renewAnnouncement()) return
    for (const outlet of this.#outlets.values()) if (!added.has(outlet)) outlet.station.announce(now)
  }

  #newOutlet(on: LinkInterface, now: number): Outlet {
    const station = new Station({ random: this.#init.random.fork(on.name), now })
    return { on, station, announcement: undefined, lastError: undefined, newsFrom: new Set() }
  }

  /** True when what we announce is new. An instance name stands for one version of it, so that "known" means known. */
  #renewAnnouncement(): boolean {
    const { peerId, serviceTag } = this.#init
    const addresses = this.#init.addresses()
    const perOutlet = [...this.#outlets.values()].map((outlet) => ({
      outlet,
      texts: announcedOn(outlet.on, peerId, addresses)
    }))
    const announced = JSON.stringify(perOutlet.map(({ outlet, texts }) => [outlet.on.name, texts]))
    if (announced === this.#announced) return false
    this.#announced = announced
    this.#instance = this.#drawInstance()
    for (const { outlet, texts } of perOutlet) {
      outlet.announcement =
        texts.length === 0 ? undefined : encodeResponse(writeAnnouncement(serviceTag, this.#instance, texts))
    }
    return true
  }

  #drawInstance(): string {
    const { random } = this.#init
    let name = ''
    for (let i = 0; i < INSTANCE_LENGTH; i++) name += INSTANCE_LETTERS[random.int(0, INSTANCE_LETTERS.length - 1)]!
    return name
  }

  // Out

  #operate(outlet: Outlet, now: number): void {
    for (const action of outlet.station.due(now)) {
      switch (action) {
        case 'answer':
          if (outlet.announcement !== undefined) this.#send(outlet, outlet.announcement)
          break
        case 'query':
          for (const packet of this.#query(outlet, now)) this.#send(outlet, packet)
          break
        case 'blocked':
          this.#link.interfaces(true)
          this.#alarms.missed(outlet.on, outlet.lastError, this.#outlets.size)
          break
      }
    }
  }

  /** Our own name among the known answers keeps us from answering ourselves, and marks the query as ours when it comes back. */
  #query(outlet: Outlet, now: number): Uint8Array[] {
    const { serviceTag, random } = this.#init
    const known = this.#book
      .knownAnswers(outlet.on.name, now)
      .map(({ instance, ttlS }) => writePointer(serviceTag, instance, ttlS))
    // When not all of them fit, a different part each time.
    const turn = known.length === 0 ? 0 : random.int(0, known.length - 1)
    const self = writePointer(serviceTag, this.#instance, ANNOUNCEMENT_TTL_S)
    return encodeQuery(serviceTag, self, [...known.slice(turn), ...known.slice(0, turn)])
  }

  #send(outlet: Outlet, bytes: Uint8Array): void {
    this.#link.send(outlet.on, bytes).then(
      () => (outlet.lastError = undefined),
      (error: unknown) => (outlet.lastError = messageOf(error))
    )
  }

  // In

  #onPacket(bytes: Uint8Array, source: { readonly address: string; readonly port: number }): void {
    if (this.#events === undefined) return
    const outlet = this.#outletOf(source.address)
    if (outlet === undefined) return
    const packet = decodePacket(bytes)
    if (packet === undefined) return
    const now = this.#init.clock.now()
    if (packet.type === 'query') this.#onQuery(packet, outlet, source.address, now)
    // Responses from another port are not multicast DNS (RFC 6762, 6) and cheaper to forge.
    else if (source.port === (this.#init.port ?? MDNS_PORT)) this.#onResponse(packet, outlet, source.address, now)
    this.#operate(outlet, now)
    this.#setTimer()
  }

  /** The interface on whose link the source is; strangers from elsewhere are not heard (RFC 6762, 11). */
  #outletOf(address: string): Outlet | undefined {
    for (const outlet of this.#outlets.values()) {
      if (sameSubnet(address, outlet.on.address, outlet.on.netmask)) return outlet
    }
    return undefined
  }

  #onQuery(packet: DecodedPacket, outlet: Outlet, source: string, now: number): void {
    const { serviceTag } = this.#init
    const questions = packet.questions ?? []
    const isAsked = questions.some(({ name, type }) => sameName(name, serviceTag) && ASKED_TYPES.has(type))
    // A packet without a question goes on with somebody's list of known answers.
    if (!isAsked && questions.length > 0) return
    const known = readPointers(serviceTag, packet.answers ?? [])
    if (known[0]?.instance === this.#instance) return this.#echoed(outlet)
    const knowsUs = known.some(({ instance }) => instance === this.#instance)
    if (knowsUs) outlet.station.satisfied(source)
    else if (isAsked) outlet.station.asked(source, packet.flag_tc, this.#book.size, now)
    this.#considerSpared(outlet, source, known, packet.flag_tc, now)
  }

  /** Another node's question stands for ours when it knows nobody that we do not know: answers go to everybody. */
  #considerSpared(
    outlet: Outlet,
    source: string,
    known: readonly { instance: string }[],
    more: boolean,
    now: number
  ): void {
    const isNew = known.some(({ instance }) => instance !== this.#instance && !this.#book.knows(instance))
    const isNews = isNew || outlet.newsFrom.has(source)
    outlet.newsFrom.delete(source)
    if (more) {
      if (isNews && outlet.newsFrom.size < ASKERS_WITH_NEWS_MAX) outlet.newsFrom.add(source)
    } else if (!isNews && known.length > 0) outlet.station.spared(this.#book.size, now)
  }

  #onResponse(packet: DecodedPacket, outlet: Outlet, source: string, now: number): void {
    const from = { interfaceName: outlet.on.name, source }
    for (const reading of this.#reader.read(packet)) {
      if (reading.type === 'goodbye') {
        this.#tell(this.#book.goodbye(reading.instance, from, now))
        continue
      }
      if (reading.peerId === this.#init.peerId) continue
      const addresses = worthDialling(reading.addresses, source, outlet.on)
      if (addresses.length > 0) this.#tell(this.#book.hear({ ...reading, addresses }, from, now))
    }
  }

  #tell(hints: readonly PeerHint[]): void {
    for (const hint of hints) this.#events?.onHint(hint)
  }

  #echoed(outlet: Outlet): void {
    if (!outlet.station.echoed() || !this.#alarms.echoed(outlet.on)) return
    outlet.station.announce(this.#init.clock.now())
    outlet.station.search(this.#init.clock.now())
  }
}
