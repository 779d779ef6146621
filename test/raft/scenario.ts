/**
 * Runs a scenario: a small cluster, played by hand, whose answers are recorded line by line.
 *
 * A scenario file is text. Lines that begin with `#` say what it shows, lines that begin with `>` are commands, the
 * indented lines below a command are what happened. Running it yields the whole text again, so a test compares two texts
 * and a person reviews a diff. Nothing moves by itself: messages wait until they are delivered, writes until they are
 * persisted, time until it passes. Chance is switched off (no jitter, rounds count from 1).
 *
 *   cluster n1 n2 n3 [learners=n4] [mode=classic] [prevote=off] [checkquorum=off] [down=n3]
 *   cluster ... priorities=n1:0,n3:200       what they are given; who starts has connections to all that are not down
 *   disk n1 term=2 vote=n2 entries=1,1,2     what n1 finds at its (next) start; entries are their terms
 *   disk n1 ... snapshot=5@2 first=4         the same with a snapshot of entry 5 of term 2; the entries begin with 4
 *   start                                    starts all that are not down
 *   begin                                    the same, and lets them elect a leader, with nothing written down but who it is
 *   stall n1 / unstall n1                    settle and pass do not persist what n1 writes
 *   tick n1 [late=500]                       time goes on to n1's deadline (or beyond), and n1 is told
 *   persist n1 [n2 ...]                      their disks confirm everything
 *   deliver [n1>n2 ...] [type] [repeat]      hands over what is on the way; repeat leaves a copy on the way
 *   drop [n1>n2 ...] [type]                  loses it
 *   settle [except=n3]                       persists and delivers until nothing moves
 *   pass 50 [except=n3]                      settles, and lets time pass with every timer served
 *   cut n1>n2 ... / heal                     links that lose everything
 *   connect n1 n2 / disconnect n1 n2         what n1 notices about its connection to n2
 *   crash n1 / restart n1                    loses what is not persisted
 *   snapshot n1                              n1 saves the state that it has, at once
 *   hand n1>n3 [term=1]                      n1's newest snapshot has come to n3, whole, from the leader of that term (default: n1's)
 *   sent n1 n3 / failed n1 n3                n1 is told what became of that
 *   removed n3 5                             somebody tells n3 that the configuration at 5, without it, has committed
 *   set prevote=off                          from the next start on: mixed settings, a member at a time
 *   propose n1 text / batch n1 text text / read n1 / transfer n1 [n2] / change n1 voters=n1,n2 [learners=n3]
 *   send n3>n1 vote term=5 last=1@1          a message made by hand
 *   status
 */
import { utf8 } from '../../src/core/bytes.ts'
import { PRIORITY_DEFAULT } from '../../src/core/priority.ts'
import type { Random } from '../../src/core/random.ts'
import { createRaft, decodeMembership, decodeRaftMessage, encodeRaftMessage } from '../../src/raft/index.ts'
import type { Entry, HardState, Membership, NodeId, Outcome, Raft, SnapshotMeta } from '../../src/raft/index.ts'
import type { RaftEffects, RaftEvent, RaftInput, RaftMessage, RaftWrite } from '../../src/raft/index.ts'
import { afterEntry, emptyState } from './embedder.ts'

const TIMING = { heartbeatMs: 10, electionTimeoutMs: 100, rankStepMs: 10, jitterMs: 0 }
const noChance: Random = { next: () => 0, int: (low) => low, fork: () => noChance }
const decoder = new TextDecoder()

interface Member {
  readonly id: NodeId
  raft: Raft | undefined
  hardState: HardState
  entries: Entry[]
  /** The newest on disk. */
  snapshot: SnapshotMeta | undefined
  /** What it has made of the log so far. */
  state: SnapshotMeta
  /** Came, and was taken; the disk has still to confirm it. */
  arriving: SnapshotMeta | undefined
  writes: RaftWrite[]
  waiting: { after: number; messages: Flight[] }[]
  persisted: number
  deadline: number | undefined
}

interface Flight {
  readonly from: NodeId
  readonly to: NodeId
  readonly message: RaftMessage
}

/** The text with every answer replaced by what happens now. */
export function runScenario(source: string): string {
  const scenario = new Scenario()
  const lines: string[] = []
  for (const line of source.split('\n')) {
    if (line.startsWith('  ')) continue
    lines.push(line)
    if (line.startsWith('>')) for (const answer of scenario.run(line.slice(1).trim())) lines.push(`  ${answer}`)
  }
  return lines.join('\n')
}

class Scenario {
  readonly #members = new Map<NodeId, Member>()
  #membership: Membership = { voters: [], outgoing: [], learners: [], learnersNext: [], autoLeave: false }
  #options: Record<string, string> = {}
  #flights: Flight[] = []
  readonly #cut = new Set<string>()
  readonly #stalled = new Set<NodeId>()
  #now = 0
  #nextRef = 1
  #out: string[] = []
  /** While time passes, only what matters is written down. */
  #quiet = false

  run(line: string): readonly string[] {
    this.#out = []
    const [command, ...words] = line.split(' ').filter((word) => word !== '')
    const options: Record<string, string> = {}
    const plain: string[] = []
    for (const word of words) {
      const [key, value] = word.split('=')
      if (value === undefined) plain.push(word)
      else options[key!] = value
    }
    this.#command(command!, plain, options)
    return this.#out
  }

  #command(command: string, words: readonly string[], options: Record<string, string>): void {
    const [first, second] = words
    switch (command) {
      case 'cluster':
        return this.#cluster(words, options)
      case 'disk':
        return this.#disk(this.#member(first!), options)
      case 'start':
        return this.#startAll()
      case 'begin':
        return this.#begin()
      case 'stall':
        return void this.#stalled.add(first!)
      case 'unstall':
        return void this.#stalled.delete(first!)
      case 'tick':
        return this.#tick(this.#member(first!), Number(options['late'] ?? 0))
      case 'persist':
        for (const id of words) this.#persist(this.#member(id))
        return
      case 'deliver':
      case 'drop':
        return this.#deliver(words, command === 'drop')
      case 'settle':
        return this.#settle(options['except'])
      case 'pass':
        return this.#pass(Number(first), options['except'])
      case 'cut':
        for (const link of words) this.#cut.add(link)
        return
      case 'heal':
        return this.#cut.clear()
      case 'connect':
        return this.#step(this.#member(first!), {
          type: 'connected',
          peer: second!,
          priority: this.#priorityOf(second!)
        })
      case 'disconnect':
        return this.#step(this.#member(first!), { type: 'disconnected', peer: second! })
      case 'snapshot':
        return this.#snapshot(this.#member(first!))
      case 'hand':
        return this.#hand(first!, options['term'])
      case 'sent':
      case 'failed':
        return this.#step(this.#member(first!), {
          type: command === 'sent' ? 'snapshot-sent' : 'snapshot-failed',
          peer: second!,
          index: this.#member(first!).snapshot!.index
        })
      case 'removed':
        return this.#step(this.#member(first!), { type: 'removed', index: Number(second) })
      case 'crash':
        return this.#crash(this.#member(first!))
      case 'set':
        return void (this.#options = { ...this.#options, ...options })
      case 'restart':
        return this.#start(this.#member(first!))
      case 'propose':
        return this.#step(this.#member(first!), {
          type: 'propose',
          ref: this.#nextRef++,
          data: utf8(words.slice(1).join(' '))
        })
      case 'batch':
        return this.#step(this.#member(first!), {
          type: 'propose-batch',
          proposals: words.slice(1).map((word) => ({ ref: this.#nextRef++, data: utf8(word) }))
        })
      case 'read':
        return this.#step(this.#member(first!), { type: 'read', ref: this.#nextRef++ })
      case 'transfer':
        return this.#step(this.#member(first!), {
          type: 'transfer',
          ref: this.#nextRef++,
          ...(second === undefined ? {} : { to: second })
        })
      case 'change':
        return this.#step(this.#member(first!), {
          type: 'change-membership',
          ref: this.#nextRef++,
          change: { voters: list(options['voters']), learners: list(options['learners']) }
        })
      case 'send':
        return this.#sendByHand(first!, second!, options)
      case 'status':
        return this.#status()
      default:
        throw new Error(`no such command: ${command}`)
    }
  }

  // --- commands ---

  #cluster(voters: readonly string[], options: Record<string, string>): void {
    this.#options = options
    const learners = list(options['learners'])
    this.#membership = { voters, outgoing: [], learners, learnersNext: [], autoLeave: false }
    for (const id of [...voters, ...learners, ...list(options['outside'])]) {
      this.#members.set(id, {
        id,
        raft: undefined,
        hardState: { term: 0, votedFor: undefined },
        entries: [],
        snapshot: undefined,
        state: emptyState(this.#membership),
        arriving: undefined,
        writes: [],
        waiting: [],
        persisted: 0,
        deadline: undefined
      })
    }
  }

  #disk(member: Member, options: Record<string, string>): void {
    const terms = list(options['entries']).map(Number)
    member.hardState = { term: Number(options['term']), votedFor: options['vote'] }
    const from = Number(options['first'] ?? 1)
    member.entries = terms.map((term, i) => ({ index: from + i, term, type: 'command', data: utf8(`t${term}`) }))
    const [index, term] = (options['snapshot'] ?? '').split('@').map(Number)
    if (term !== undefined) member.snapshot = { ...emptyState(this.#membership), index: index!, term }
  }

  #snapshot(member: Member): void {
    member.snapshot = member.state
    this.#step(member, { type: 'snapshotted', index: member.state.index })
  }

  #hand(link: string, term: string | undefined): void {
    const [from, to] = link.split('>').map((id) => this.#member(id))
    const { snapshot, raft } = from!
    to!.arriving = snapshot!
    this.#step(to!, { type: 'install', from: from!.id, term: Number(term ?? raft!.status().term), snapshot: snapshot! })
  }

  #start(member: Member): void {
    member.raft = createRaft({
      self: member.id,
      membership: this.#membership,
      hardState: member.hardState,
      entries: member.entries,
      ...(member.snapshot === undefined ? {} : { snapshot: member.snapshot }),
      timing: TIMING,
      mode: this.#options['mode'] === 'classic' ? 'classic' : 'staggered',
      preVote: this.#options['prevote'] !== 'off',
      checkQuorum: this.#options['checkquorum'] !== 'off',
      random: noChance,
      priority: this.#priorityOf(member.id),
      connections: this.#connectionsOf(member.id),
      firstEntryData: utf8('config'),
      limits: {
        appendEntriesMax: Number(this.#options['entriesmax'] ?? 100),
        inflightMax: Number(this.#options['inflightmax'] ?? 8),
        entryBytesMax: Number(this.#options['entrymax'] ?? 1000),
        uncommittedBytesMax: Number(this.#options['bytesmax'] ?? 1_000_000),
        trailingEntriesMax: Number(this.#options['trailing'] ?? 1),
        snapshotHeartbeatsMax: Number(this.#options['patience'] ?? 100)
      }
    })
    member.state = member.snapshot ?? emptyState(this.#membership)
    member.arriving = undefined
    member.writes = []
    member.waiting = []
    member.persisted = 0
    this.#effects(member, member.raft.start(this.#now))
  }

  #startAll(): void {
    for (const member of this.#members.values())
      if (!this.#listed(this.#options['down'], member.id)) this.#start(member)
  }

  #priorityOf(id: NodeId): number {
    const given = list(this.#options['priorities']).find((text) => text.startsWith(`${id}:`))
    return given === undefined ? PRIORITY_DEFAULT : Number(given.slice(id.length + 1))
  }

  #connectionsOf(id: NodeId): ReadonlyMap<NodeId, number> {
    const others = [...this.#members.keys()].filter((other) => other !== id)
    const there = others.filter((other) => !this.#listed(this.#options['down'], other))
    return new Map(
      this.#options['priorities'] === undefined ? [] : there.map((other) => [other, this.#priorityOf(other)])
    )
  }

  #begin(): void {
    this.#startAll()
    this.#pass(30, undefined)
    this.#out = []
    for (const { id, raft } of this.#members.values()) {
      const status = raft?.status()
      if (status?.role === 'leader') this.#out.push(`${id} leads term ${status.term}, commit ${status.commitIndex}`)
    }
  }

  #tick(member: Member, late: number): void {
    if (member.deadline === undefined) return void this.#out.push(`${member.id} awaits nothing`)
    this.#now = Math.max(this.#now, member.deadline) + late
    this.#step(member, { type: 'tick' })
  }

  #persist(member: Member): void {
    const last = member.writes.at(-1)
    if (last === undefined) return
    for (const { hardState, snapshot, compactTo = 0, entries = [] } of member.writes) {
      if (hardState !== undefined) member.hardState = hardState
      if (snapshot !== undefined) {
        member.snapshot = member.arriving
        member.entries = []
      }
      const isKept = ({ index }: Entry): boolean => index > compactTo && index < (entries[0]?.index ?? Infinity)
      member.entries = [...member.entries.filter(isKept), ...entries]
    }
    member.writes = []
    member.persisted = last.id
    const ready = member.waiting.filter(({ after }) => after <= last.id)
    member.waiting = member.waiting.filter(({ after }) => after > last.id)
    for (const { messages } of ready) for (const flight of messages) this.#depart(flight)
    this.#step(member, { type: 'persisted', write: last.id })
  }

  #deliver(words: readonly string[], drop: boolean): void {
    const links = words.filter((word) => word.includes('>'))
    const types = words.filter((word) => !word.includes('>') && word !== 'repeat')
    const chosen = (flight: Flight): boolean =>
      (links.length === 0 || links.includes(`${flight.from}>${flight.to}`)) &&
      (types.length === 0 || types.includes(flight.message.type))
    const now = this.#flights.filter(chosen)
    if (!words.includes('repeat')) this.#flights = this.#flights.filter((flight) => !chosen(flight))
    if (now.length === 0) this.#out.push('nothing is on the way')
    if (!drop) for (const flight of now) this.#arrive(flight)
  }

  #settle(except: string | undefined): void {
    const active = (id: NodeId): boolean => !this.#listed(except, id)
    for (let round = 0; round < 200; round++) {
      const flights = this.#flights
      this.#flights = []
      for (const flight of flights) if (active(flight.from) && active(flight.to)) this.#arrive(flight)
      const writers = [...this.#members.values()].filter(
        (m) => m.writes.length > 0 && active(m.id) && !this.#stalled.has(m.id)
      )
      for (const member of writers) this.#persist(member)
      if (flights.length === 0 && writers.length === 0) return
    }
    throw new Error('it does not settle')
  }

  #pass(ms: number, except: string | undefined): void {
    this.#quiet = true
    const end = this.#now + ms
    this.#settle(except)
    for (let round = 0; round < 10_000; round++) {
      const due = [...this.#members.values()]
        .filter((m) => m.raft !== undefined && m.deadline !== undefined && !this.#listed(except, m.id))
        .toSorted((a, b) => a.deadline! - b.deadline!)[0]
      if (due === undefined || due.deadline! > end) break
      this.#now = Math.max(this.#now, due.deadline!)
      this.#step(due, { type: 'tick' })
      this.#settle(except)
    }
    this.#now = end
    this.#quiet = false
  }

  #crash(member: Member): void {
    const lost = member.writes.length
    member.raft = undefined
    member.deadline = undefined
    member.writes = []
    member.waiting = []
    if (lost > 0) this.#out.push(`${member.id} loses ${lost} write${lost === 1 ? '' : 's'}`)
  }

  #sendByHand(link: string, type: string, options: Record<string, string>): void {
    const [from, to] = link.split('>')
    const fields: Record<string, unknown> = { type }
    for (const [key, value] of Object.entries(options)) {
      if (key === 'last' || key === 'prev' || key === 'hint') {
        const [index, term] = value.split('@').map(Number)
        fields[`${key}Index`] = index
        fields[`${key}Term`] = term
      } else if (key === 'entries') {
        fields[key] = list(value).map((term, i) => ({
          index: Number(fields['prevIndex']) + i + 1,
          term: Number(term),
          type: 'command',
          data: utf8(`t${term}`)
        }))
      } else fields[key] = value === 'yes' ? true : value === 'no' ? false : Number(value)
    }
    // Through the codec, so that a typing error in a scenario is an error and not a strange input.
    this.#arrive({
      from: from!,
      to: to!,
      message: decodeRaftMessage(encodeRaftMessage(fields as unknown as RaftMessage))
    })
  }

  #status(): void {
    for (const { id, raft } of this.#members.values()) {
      if (raft === undefined) {
        this.#out.push(`${id} down`)
        continue
      }
      const { role, term, leader, firstIndex, lastIndex, commitIndex, writable, progress } = raft.status()
      const peers = progress.map((peer) => ` ${peer.id}:${peer.state}@${peer.match}`).join('')
      this.#out.push(
        `${id} ${role} term ${term} leader ${leader ?? '-'} ${firstIndex > 1 ? `first ${firstIndex} ` : ''}last ${lastIndex} commit ${commitIndex}${writable ? ' writable' : ''}${peers}`
      )
    }
  }

  // --- the world ---

  #member(id: string): Member {
    const member = this.#members.get(id)
    if (member === undefined) throw new Error(`no such member: ${id}`)
    return member
  }

  #listed(option: string | undefined, id: NodeId): boolean {
    return list(option).includes(id)
  }

  #arrive(flight: Flight): void {
    const target = this.#member(flight.to)
    if (target.raft === undefined || this.#cut.has(`${flight.from}>${flight.to}`)) return
    this.#step(target, { type: 'message', from: flight.from, message: flight.message })
  }

  #depart(flight: Flight): void {
    if (this.#members.has(flight.to)) this.#flights.push(flight)
  }

  #step(member: Member, input: RaftInput): void {
    if (member.raft === undefined) throw new Error(`${member.id} is down`)
    this.#effects(member, member.raft.step(input, this.#now))
  }

  #effects(member: Member, effects: RaftEffects): void {
    const { id } = member
    member.deadline = effects.deadline
    for (const event of effects.events) this.#note(id, describeEvent(event))
    if (effects.write !== undefined) {
      member.writes.push(effects.write)
      if (!this.#quiet) this.#note(id, describeWrite(effects.write))
    }
    for (const { to, message } of effects.send) {
      if (!this.#quiet) this.#note(id, `-> ${to} ${describeMessage(message)}`)
      this.#depart({ from: id, to, message })
    }
    if (effects.sendAfter.length > 0) {
      const messages = effects.sendAfter.map(({ to, message }) => ({ from: id, to, message }))
      for (const { to, message } of messages) {
        if (!this.#quiet) this.#note(id, `-> ${to} after write ${effects.sendAfterWrite}: ${describeMessage(message)}`)
      }
      if (effects.sendAfterWrite <= member.persisted) for (const flight of messages) this.#depart(flight)
      else member.waiting.push({ after: effects.sendAfterWrite, messages })
    }
    for (const { to, index } of effects.sendSnapshots) this.#note(id, `wants a snapshot of ${index} sent to ${to}`)
    if (effects.restored !== undefined) {
      member.state = effects.restored
      this.#note(id, `restores ${describeSnapshot(effects.restored)}`)
    }
    for (const entry of effects.committed) {
      member.state = afterEntry(member.state, entry)
      this.#note(id, `commits ${describeEntry(entry)}`)
    }
    for (const outcome of effects.outcomes) this.#note(id, describeOutcome(outcome))
  }

  #note(id: NodeId, text: string): void {
    this.#out.push(`${id} ${text}`)
  }
}

// --- words ---

const list = (text: string | undefined): string[] => (text === undefined || text === '' ? [] : text.split(','))

const describeEntry = (entry: Entry): string =>
  entry.type === 'membership'
    ? `${entry.index}@${entry.term} ${describeMembership(decodeMembership(entry.data))}`
    : `${entry.index}@${entry.term} ${entry.type} "${decoder.decode(entry.data)}"`

function describeMembership(m: Membership): string {
  const joint = m.outgoing.length > 0 ? `&&(${m.outgoing.join(' ')})` : ''
  const learners = m.learners.length > 0 ? ` learners (${m.learners.join(' ')})` : ''
  const next = m.learnersNext.length > 0 ? ` next learners (${m.learnersNext.join(' ')})` : ''
  return `voters (${m.voters.join(' ')})${joint}${learners}${next}`
}

const describeSnapshot = ({ index, term, membership, membershipIndex }: SnapshotMeta): string =>
  `${index}@${term} with ${describeMembership(membership)} of entry ${membershipIndex}`

function describeWrite({ id, hardState, snapshot, compactTo, entries }: RaftWrite): string {
  const state = hardState === undefined ? '' : ` term ${hardState.term} vote ${hardState.votedFor ?? '-'}`
  const log = entries === undefined ? '' : ` entries ${entries.map(describeEntry).join(', ')}`
  const base = snapshot === undefined ? '' : ` snapshot ${snapshot.index}@${snapshot.term}`
  const cut = compactTo === undefined ? '' : ` nothing up to ${compactTo}`
  return `writes ${id}:${state}${base}${cut}${log}`
}

function describeMessage(m: RaftMessage): string {
  switch (m.type) {
    case 'pre-vote':
      return `pre-vote for term ${m.nextTerm} round ${m.round} last ${m.lastIndex}@${m.lastTerm}`
    case 'pre-vote-reply':
      return `pre-vote-reply ${m.granted ? 'granted' : 'refused'} round ${m.round} term ${m.term}`
    case 'pre-vote-offer':
      return `pre-vote-offer for term ${m.nextTerm} last ${m.lastIndex}@${m.lastTerm} seq ${m.seq}`
    case 'vote':
      return `vote term ${m.term} last ${m.lastIndex}@${m.lastTerm}${m.transfer ? ' transfer' : ''}`
    case 'vote-reply':
      return `vote-reply ${m.granted ? 'granted' : 'refused'} term ${m.term}`
    case 'append':
      return `append term ${m.term} prev ${m.prevIndex}@${m.prevTerm} commit ${m.commit} [${m.entries.map((e) => `${e.index}@${e.term}`).join(' ')}]`
    case 'append-accepted':
      return `append-accepted term ${m.term} match ${m.match}`
    case 'append-rejected':
      return `append-rejected term ${m.term} prev ${m.prevIndex} hint ${m.hintIndex}@${m.hintTerm}`
    case 'heartbeat':
      return `heartbeat term ${m.term} commit ${m.commit} seq ${m.seq} wait ${m.waitMs}${m.heir === 0 ? '' : ` heir ${m.heir}`}`
    case 'heartbeat-reply':
      return `heartbeat-reply term ${m.term} seq ${m.seq} match ${m.match}`
    case 'commit':
      return `commit term ${m.term} commit ${m.commit}`
    case 'transfer':
      return `transfer term ${m.term} last ${m.lastIndex}@${m.lastTerm}`
    default:
      throw new Error('an unknown message')
  }
}

function describeEvent(event: RaftEvent): string {
  switch (event.type) {
    case 'role':
      return `becomes ${event.role} of term ${event.term}: ${event.reason}`
    case 'leader':
      return event.leader === undefined ? `knows no leader` : `follows ${event.leader} in term ${event.term}`
    case 'writable':
      return `is writable in term ${event.term}`
    case 'membership':
      return `${event.committed ? 'has committed' : 'acts on'} ${describeMembership(event.membership)} of entry ${event.index}`
    case 'no-quorum':
      return `has no quorum in term ${event.term}, heard from (${event.heardFrom.join(' ')})`
    case 'anomaly':
      return `raises an alarm: ${event.from} ${event.detail}`
    default:
      throw new Error('an unknown event')
  }
}

function describeOutcome(outcome: Outcome): string {
  switch (outcome.type) {
    case 'committed':
      return `answers request ${outcome.ref}: committed as ${outcome.index}@${outcome.term}`
    case 'readable':
      return `answers request ${outcome.ref}: readable at ${outcome.index}`
    case 'transferred':
      return `answers request ${outcome.ref}: transferred to ${outcome.to}`
    case 'refused':
      return `answers request ${outcome.ref}: refused ${outcome.code}, ${outcome.detail}`
    case 'dropped':
      return `answers request ${outcome.ref}: dropped, leader ${outcome.leader ?? '-'}`
    case 'unknown':
      return `answers request ${outcome.ref}: unknown`
    default:
      throw new Error('an unknown outcome')
  }
}
