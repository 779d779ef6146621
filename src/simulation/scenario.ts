/**
 * Scenario files: one verb a line, `#` begins a comment; lines that are indented are answers. The answer of each verb is a few
 * lines of text, so that a file with its answers is a transcript that people can review, and a test can compare.
 *
 *     nodes 3                    founding size; first line. `seed 7` may follow,
 *     joiners 20 [seeds 3]       and machines with a join token, numbered on; each is told of so many others (default: founders)
 *     add n1 n2 n3               starts machines (`add all`, `add all within 1000`: spread over so many ms)
 *     run 500                    lets virtual milliseconds pass
 *     run until formed           … until formed, leader, agreed or joined; at most 60 virtual seconds (`within 500`: ms of them)
 *     step 10                    the next 10 events
 *     crash n1 [power]           kills the process; `power` also loses what was not synced
 *     restart n1 · wipe n1 · clone n1 · pause n1 · resume n1
 *     partition n1 n2 | n3       cuts between the groups; `repair` ends it
 *     hold n1 n2 · release n1 n2 frames from n1 to n2 wait
 *     clock n1 1.05              runs 5 % fast
 *     set n1 {"limit":2}         asks n1 to change the config
 *     transfer n1 [n2]           asks n1 to hand leadership over
 *     status                     one line a machine
 *     expect leader n2 · expect no leader · expect formed · expect config n1 2 · expect config all 2
 *     expect joined · expect members n1 23 · expect standing n7 learner
 *     expect role n1 follower · expect down n1 · expect refused n1 · expect violation one-vote-a-term
 *
 * `agreed`: every request is answered, and every process that runs holds the same config. `joined`: every machine runs, is a
 * member and holds the config. `leader` and `follower` stand for whoever is that at the moment.
 */
import { QuorateError, messageOf } from '../core/errors.ts'
import type { JsonValue } from '../core/json.ts'
import { createSimulation, type Simulation, type SimulationInit } from './simulation.ts'

export class ScenarioError extends QuorateError {
  constructor(line: number, text: string, reason: string) {
    super('ScenarioError', 'ERR_SCENARIO', `line ${line}, \`${text}\`: ${reason}`, {
      details: { line },
      nextStep: 'The verbs are listed in docs/SIMULATION.md.'
    })
  }
}

export interface ScenarioResult {
  readonly simulation: Simulation
  /** Each line of the file, and what it answered. */
  readonly transcript: string
  /** Expectations that did not hold. */
  readonly failures: readonly FailedExpectation[]
  /** Lines that expect something. */
  readonly expectations: number
}

export interface FailedExpectation {
  readonly line: number
  readonly text: string
  readonly atMs: number
  /** What held in its place, in words. */
  readonly instead: string
}

export interface ScenarioInit {
  readonly text: string
  readonly record?: boolean
}

export async function runScenario({ text, record = false }: ScenarioInit): Promise<ScenarioResult> {
  const lines = text
    .split('\n')
    .map((line, i) => ({ number: i + 1, raw: line, text: line.replace(/#.*/, '').trim() }))
    .filter(({ raw, text: verb }) => verb !== '' && !raw.startsWith('  '))
  const { init, words, rest } = header(lines)
  const simulation = await createSimulation({ ...init, record })
  const player = new Player(simulation)
  const transcript: string[] = [...words]
  let told = false
  for (const line of rest) {
    transcript.push(line.text)
    for (const answer of player.play(line)) transcript.push(`  ${answer}`)
    const [violation] = simulation.violations
    if (violation === undefined || told) continue
    told = true
    const { invariant, atMs, node, detail } = violation
    transcript.push(`  VIOLATION ${invariant} at ${atMs} ms, ${node}: ${detail}`)
  }
  return {
    simulation,
    transcript: `${transcript.join('\n')}\n`,
    failures: player.failures,
    expectations: player.expectations
  }
}

interface Line {
  readonly number: number
  readonly text: string
}

/** What stands before the first verb. */
function header(lines: readonly Line[]): {
  readonly init: SimulationInit
  readonly words: readonly string[]
  readonly rest: readonly Line[]
} {
  const [first, ...others] = lines
  const nodes = /^nodes (\d)$/.exec(first?.text ?? '')
  if (nodes === null)
    throw new ScenarioError(first?.number ?? 1, first?.text ?? '', 'a scenario begins with `nodes N`, N from 1 to 9')
  let init: SimulationInit = { nodes: Number(nodes[1]) }
  const words = [first!.text]
  for (const { text } of others) {
    const more = furtherInit(text)
    if (more === undefined) break
    init = { ...init, ...more }
    words.push(text)
  }
  return { init, words, rest: lines.slice(words.length) }
}

function furtherInit(text: string): Partial<SimulationInit> | undefined {
  const seed = /^seed (\d+)$/.exec(text)
  if (seed !== null) return { seed: Number(seed[1]) }
  const joiners = /^joiners (\d+)(?: seeds (\d+))?$/.exec(text)
  if (joiners === null) return undefined
  return { joiners: Number(joiners[1]), ...(joiners[2] === undefined ? {} : { joinerSeeds: Number(joiners[2]) }) }
}

type Verb = (words: readonly string[], text: string) => readonly string[] | void

class Player {
  readonly #simulation: Simulation
  readonly failures: FailedExpectation[] = []
  expectations = 0
  readonly #verbs: Readonly<Record<string, Verb>>

  constructor(simulation: Simulation) {
    const s = simulation
    this.#simulation = s
    const each =
      (act: (name: string) => unknown): Verb =>
      (words) => {
        const names = words[0] === 'all' ? s.names : words.map((word) => this.#name(word))
        for (const name of names) act(name)
      }
    this.#verbs = {
      add: (words, text) => this.#add(words, text),
      restart: each((name) => s.restart(name)),
      wipe: each((name) => s.wipe(name)),
      clone: (words) => words.map((word) => `${this.#name(word)} has the clone ${s.clone(this.#name(word))}`),
      pause: each((name) => s.pause(name)),
      resume: each((name) => s.resume(name)),
      crash: ([name, how = 'kill']) => s.crash(this.#name(name!), howOf(how)),
      run: (words) => this.#run(words),
      step: ([count]) => s.step(Number(count ?? 1)),
      partition: (_words, text) => s.partition(...text.split('|').map((group) => this.#names(group))),
      repair: () => s.repair(),
      hold: ([from, to]) => s.hold(this.#name(from!), this.#name(to!)),
      release: ([from, to]) => s.release(this.#name(from!), this.#name(to!)),
      clock: ([name, rate]) => s.clock(this.#name(name!), Number(rate)),
      set: ([name], text) => void s.set(this.#name(name!), JSON.parse(text.slice(name!.length)) as JsonValue),
      transfer: ([name, to]) => void s.transfer(this.#name(name!), to === undefined ? undefined : this.#name(to)),
      status: () => this.#status()
    }
  }

  play({ number, text }: Line): readonly string[] {
    const [verb = '', ...words] = text.split(/\s+/)
    if (verb === 'expect') return this.#expect(number, words)
    const act = this.#verbs[verb]
    if (act === undefined) throw new ScenarioError(number, text, `there is no verb ${verb}`)
    try {
      return act(words, text.slice(verb.length).trim()) ?? []
    } catch (error) {
      throw new ScenarioError(number, text, messageOf(error))
    }
  }

  #add(words: readonly string[], text: string): void {
    const s = this.#simulation
    const within = /^all within (\d+)$/.exec(text)
    if (within !== null) s.addEverybody(Number(within[1]))
    else for (const name of words[0] === 'all' ? s.names : words.map((word) => this.#name(word))) s.add(name)
  }

  #names(text: string): readonly string[] {
    return text
      .split(/\s+/)
      .filter((word) => word !== '')
      .map((word) => this.#name(word))
  }

  /** A name, or a role for whoever has it now. */
  #name(word: string): string {
    const { leader, names } = this.#simulation
    if (word === 'leader') return leader ?? fail('nobody leads')
    if (word === 'follower')
      return (
        names.find((name) => name !== leader && this.#simulation.node(name).state === 'up') ?? fail('nobody follows')
      )
    return word
  }

  #run(words: readonly string[]): readonly string[] {
    const s = this.#simulation
    if (words[0] !== 'until') {
      s.run(Number(words[0]))
      return []
    }
    const startedMs = s.nowMs
    const done = CONDITIONS[words[1] ?? '']
    if (done === undefined) fail(`\`run until\` knows ${Object.keys(CONDITIONS).join(', ')}`)
    if (words.length > 2 && (words[2] !== 'within' || words.length > 4))
      fail('after the condition comes `within` and a number of ms')
    const limitMs = words[2] === undefined ? undefined : Number(words[3])
    const reached = s.runUntil(done, limitMs)
    const within = limitMs === undefined ? '60 s' : `${limitMs} ms`
    return [reached ? `${words[1]} after ${(s.nowMs - startedMs).toFixed(1)} ms` : `not ${words[1]} within ${within}`]
  }

  #status(): readonly string[] {
    return this.#simulation.nodes().map(({ name, state, role, term, commit, config, sessions }) => {
      if (state === 'down' || state === 'refused') return `${name} ${state}`
      const paused = state === 'paused' ? 'paused ' : ''
      return `${name} ${paused}${role} term ${term} commit ${commit} config ${config} sessions ${sessions.join(' ') || '-'}`
    })
  }

  /** Undefined: nothing like that can be expected. */
  #holds([what = '', name, number]: readonly string[]): boolean | undefined {
    const s = this.#simulation
    switch (what) {
      case 'formed':
        return s.isFormed
      case 'joined':
        return s.isJoined
      case 'members':
        return s.node(this.#name(name ?? '')).members === Number(number)
      case 'standing':
        return s.node(this.#name(name ?? '')).standing === number
      case 'no':
        return name === 'leader' ? s.leader === undefined : undefined
      case 'leader':
        return s.leader === name
      case 'config':
        return name === 'all'
          ? s.nodes().every(({ state, config }) => state !== 'up' || config === Number(number))
          : s.node(this.#name(name ?? '')).config === Number(number)
      case 'role':
        return s.node(this.#name(name ?? '')).role === number
      case 'violation':
        return s.violations.some(({ invariant }) => invariant === name)
      case 'down':
      case 'refused':
        return s.node(name ?? '').state === what
      default:
        return undefined
    }
  }

  /** What is there in place of what was expected. */
  #instead([what = '', word = '']: readonly string[]): string {
    const s = this.#simulation
    switch (what) {
      case 'leader':
      case 'no':
        return s.leader === undefined ? 'nobody leads' : `${s.leader} leads`
      case 'violation':
        return s.violations.map(({ invariant }) => `${invariant} is broken`).join(', ') || 'every invariant holds'
      case 'formed':
      case 'joined':
        return s
          .nodes()
          .map((node) => `${node.name} ${node.state}, config ${node.config}, members ${node.members}`)
          .join('; ')
      case 'config':
        return word === 'all'
          ? s
              .nodes()
              .map(({ name, state, config }) => `${name} ${state === 'up' ? `has config ${config}` : `is ${state}`}`)
              .join(', ')
          : `${this.#name(word)} has config ${s.node(this.#name(word)).config}`
      case 'members':
        return `${this.#name(word)} knows of ${s.node(this.#name(word)).members} members`
      case 'role':
      case 'standing': {
        const { name, state, role, standing } = s.node(this.#name(word))
        return state === 'down' || state === 'refused'
          ? `${name} is ${state}`
          : `${name} is ${(what === 'role' ? role : standing) ?? 'none'}`
      }
      default:
        return `${word} is ${s.node(word).state}`
    }
  }

  #expect(line: number, words: readonly string[]): readonly string[] {
    const text = words.join(' ')
    const holds = this.#holds(words)
    if (holds === undefined) throw new ScenarioError(line, `expect ${text}`, 'nothing like that can be expected')
    this.expectations++
    if (holds) return []
    const instead = this.#instead(words)
    this.failures.push({ line, text: `expect ${text}`, atMs: this.#simulation.nowMs, instead })
    return [`does not hold: ${instead}`, ...this.#status()]
  }
}

/** Names of what has to hold, for the message that lists them. */
const CONDITIONS: Readonly<Record<string, (simulation: Simulation) => boolean>> = {
  formed: (s) => s.isFormed,
  joined: (s) => s.isJoined,
  leader: (s) => s.leader !== undefined,
  agreed: (s) => {
    const versions = s
      .nodes()
      .filter(({ state }) => state === 'up')
      .map(({ config }) => config)
    return (
      s.unanswered === 0 && versions.length > 0 && versions.every((version) => version === versions[0] && version > 0)
    )
  }
}

const howOf = (how: string): 'kill' | 'power' =>
  how === 'kill' || how === 'power' ? how : fail('a machine is crashed by `kill` or by `power`')

function fail(reason: string): never {
  throw new Error(reason)
}
