/**
 * Plays a scenario: a few machines in virtual time, whose doings are recorded line by line.
 *
 * Lines that begin with `#` say what it shows, lines that begin with `>` are commands, the indented lines below a command are
 * what happened. Playing it yields the whole text again, so a test compares two texts and a person reviews a diff.
 *
 *   founders 3 [pool] [delay=1] [write=2]   machines a, b, c with seats 1, 2, 3 (or none); times in ms
 *   machine a2 seat=1 [peer=a] [store=2]    another machine; with a peer it is that one, wiped or cloned
 *   start a b / crash a                     a crash loses what is not on disk yet
 *   run 50                                  lets time pass
 *   quiet 50                                the same, and shows events only
 *   partition a b | c / cut a b / heal      who reaches whom
 *   lose accept [a>b]                       loses every message of this kind; `lose nothing` ends it
 *   status a / disk a
 */
import { seededRandom } from '../../src/core/random.ts'
import {
  decodeFormationState,
  type FormationEvent,
  type FormationMessage,
  type FoundingSet
} from '../../src/formation/index.ts'
import { readClaim } from './fake-crypto.ts'
import { setName, World } from './world.ts'

/** The text with every answer replaced by what happens now. */
export function playScenario(source: string): string {
  const scenario = new Scenario()
  const lines: string[] = []
  for (const line of source.split('\n')) {
    if (line.startsWith('  ')) continue
    lines.push(line)
    if (line.startsWith('> ')) lines.push(...scenario.run(line.slice(2)).map((answer) => `  ${answer}`))
  }
  return lines.join('\n')
}

class Scenario {
  #world: World | undefined
  #quiet = false
  #answers: string[] = []

  run(line: string): readonly string[] {
    this.#answers = []
    const words = line.split(/\s+/)
    const options = new Map(
      words.filter((word) => word.includes('=')).map((word) => word.split('=') as [string, string])
    )
    this.#command(
      words[0]!,
      words.slice(1).filter((word) => !word.includes('=')),
      options
    )
    const violations = this.#world?.violations ?? []
    if (violations.length > 0) throw new Error(`violated: ${violations.join('; ')}`)
    return this.#answers
  }

  #command(command: string, names: readonly string[], options: ReadonlyMap<string, string>): void {
    switch (command) {
      case 'founders':
        return this.#founders(Number(names[0]), names.includes('pool'), options)
      case 'machine': {
        const name = names[0]!
        this.#here.add(
          name,
          Number(options.get('seat')),
          options.get('peer') ?? name,
          Number(options.get('store') ?? 1)
        )
        return
      }
      case 'start':
        return names.forEach((name) => this.#here.start(name))
      case 'crash':
        return names.forEach((name) => this.#here.crash(name))
      case 'run':
      case 'quiet':
        this.#quiet = command === 'quiet'
        return this.#here.run(Number(names[0]))
      case 'partition':
        return this.#here.partition(...groupsOf(names))
      case 'cut':
        return this.#here.cut(names[0]!, names[1]!)
      case 'heal':
        return this.#here.heal()
      case 'lose':
        return this.#lose(names[0]!, names[1])
      case 'status':
        return names.forEach((name) => this.#status(name))
      case 'disk':
        return names.forEach((name) => this.#disk(name))
      default:
        throw new Error(`unknown command ${command}`)
    }
  }

  get #here(): World {
    if (this.#world === undefined) throw new Error('a scenario begins with founders')
    return this.#world
  }

  #founders(count: number, pool: boolean, options: ReadonlyMap<string, string>): void {
    const delay = Number(options.get('delay') ?? 1)
    const write = Number(options.get('write') ?? 2)
    this.#world = new World({
      foundingSize: count,
      random: seededRandom('scenario'),
      delayMs: [delay, delay],
      writeMs: [write, write],
      pool,
      onEvent: (at, machine, event) => this.#answers.push(`${at} ${machine.name} ${describeEvent(event)}`),
      onMessage: (at, from, to, message) => {
        if (!this.#quiet) this.#answers.push(`${at} ${from.name} -> ${to.name} ${describeMessage(message)}`)
      }
    })
    for (let seat = 1; seat <= count; seat++) this.#world.add('abcdefg'[seat - 1]!, seat)
  }

  #lose(type: string, link: string | undefined): void {
    this.#here.loses = (from, to, message) =>
      message.type === type && (link === undefined || link === `${from.name}>${to.name}`)
  }

  #status(name: string): void {
    const machine = this.#here.machine(name)
    if (machine.formation === undefined) return void this.#answers.push(`${name} is down`)
    const { stage, term, present, missingSeats, seen, conflict } = machine.formation.status()
    const here = present.map((claim) => claim.incarnation).join(' ')
    const missing = missingSeats.length === 0 ? '' : `, missing seats ${missingSeats.join(' ')}`
    const contested = conflict === undefined ? '' : `, seat ${conflict.seat} is contested`
    this.#answers.push(`${name} ${stage}, term ${term}, ${seen.length} seen, present ${here}${missing}${contested}`)
  }

  #disk(name: string): void {
    const { term, votedFor, accepted, certificate } = decodeFormationState(this.#here.machine(name).disk, readClaim)
    const set = accepted === undefined ? 'nothing' : `${describeSet(accepted.set)} in term ${accepted.term}`
    const latch =
      certificate === undefined ? '' : `, latched ${describeSet(certificate.set)} of term ${certificate.term}`
    this.#answers.push(`${name} term ${term}, voted for ${votedFor ?? 'nobody'}, accepted ${set}${latch}`)
  }
}

function groupsOf(names: readonly string[]): string[][] {
  const groups: string[][] = [[]]
  for (const name of names) {
    if (name === '|') groups.push([])
    else groups.at(-1)!.push(name)
  }
  return groups
}

const describeSet = (set: FoundingSet): string => `{${setName(set)}}`

function describeMessage(message: FormationMessage): string {
  switch (message.type) {
    case 'request-vote':
      return `request-vote term ${message.term} accepted ${message.acceptedTerm}`
    case 'vote':
      return `vote term ${message.term}`
    case 'refuse':
      return `refuse of term ${message.of}: term ${message.term} accepted ${message.acceptedTerm}`
    case 'propose':
      return `propose term ${message.term} ${describeSet(message.set)}`
    case 'accept':
      return `accept term ${message.term}`
    case 'certificate':
      return `certificate term ${message.certificate.term} ${describeSet(message.certificate.set)}`
  }
}

function describeEvent(event: FormationEvent): string {
  switch (event.type) {
    case 'founder-seen':
      return `sees ${event.peerId}${event.seat === 0 ? '' : ` on seat ${event.seat}`}: ${event.present} of ${event.of}`
    case 'campaign':
      return `campaigns in term ${event.term}`
    case 'elected':
      return `is elected in term ${event.term} by ${event.votes}`
    case 'accepted':
      return `accepts in term ${event.term}`
    case 'formed':
      return `is formed by term ${event.term}`
    case 'seat-conflict': {
      const [first, second] = event.claims
      return `finds ${event.own ? 'its own ' : ''}seat ${event.seat} taken twice: ${first.incarnation} and ${second.incarnation}`
    }
    case 'rival-certificate':
      return `meets the rival certificate ${describeSet(event.certificate.set)}`
  }
}
