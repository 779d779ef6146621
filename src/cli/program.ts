/**
 * The command line: which subcommands exist, how they are found, how their end becomes an exit code.
 *
 * Only the subcommand that is named on the command line is loaded, and what it needs to run (libp2p, say) only when it
 * runs: `quorate --help` and a typing error answer at once.
 */
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { ExitWith, UsageError } from './cli-errors.ts'
import { EXIT, EXIT_CODES_HELP, exitCodeOf } from './exit-codes.ts'
import type { Io } from './io.ts'
import { reportError } from './report.ts'
import { explained } from './system-errors.ts'

/** What a subcommand's file exports. */
export interface CommandModule {
  /** Adds arguments, options, help and action. The action throws, or returns when it is done. */
  readonly define: (command: Command, io: Io) => void
}

interface Entry {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<CommandModule>
}

const COMMANDS: readonly Entry[] = [
  {
    name: 'init',
    summary: 'make a signed genesis, its issuer key and one token a seat',
    load: () => import('./commands/init.ts')
  },
  { name: 'up', summary: 'run a node until it is stopped', load: () => import('./commands/up.ts') },
  { name: 'status', summary: 'what the node of a data directory is doing', load: () => import('./commands/status.ts') },
  { name: 'members', summary: 'who belongs to the cluster', load: () => import('./commands/members.ts') },
  { name: 'config', summary: 'read and change the replicated config', load: () => import('./commands/config.ts') },
  { name: 'promote', summary: 'give a learner a vote', load: () => import('./commands/promote.ts') },
  { name: 'demote', summary: 'take the vote of a voter', load: () => import('./commands/demote.ts') },
  {
    name: 'replace',
    summary: 'give the vote of a lost disk or machine to a new one',
    load: () => import('./commands/replace.ts')
  },
  { name: 'remove', summary: 'end a membership for good', load: () => import('./commands/remove.ts') },
  { name: 'transfer', summary: 'hand leadership to another voter', load: () => import('./commands/transfer.ts') },
  { name: 'leave', summary: 'give up membership, then stop the node', load: () => import('./commands/leave.ts') },
  { name: 'id', summary: "print a data directory's PeerId, made when absent", load: () => import('./commands/id.ts') },
  { name: 'token', summary: 'make tokens for further machines', load: () => import('./commands/token.ts') },
  {
    name: 'inspect',
    summary: 'show a genesis, token or certificate and verify it',
    load: () => import('./commands/inspect.ts')
  },
  {
    name: 'simulate',
    summary: 'run simulated clusters under faults, and show what happened',
    load: () => import('./commands/simulate.ts')
  }
]

const EXAMPLE = `
Three machines, one cluster:
  $ quorate init --name plant-7 --seats 3 --out plant-7
  $ quorate up --data node --token seat-1.token          (seat-2.token, seat-3.token on the others)
  $ quorate status --data node
`

/** Runs one command line to its end; never throws. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const json = argv.includes('--json')
  const words = withoutHelpCommand(argv)
  let program: Command | undefined
  try {
    program = await build(words, io)
    await program.parseAsync([...requireKnown(program, words)], { from: 'user' })
    return EXIT.ok
  } catch (error) {
    if (error instanceof ExitWith) return error.exitCode
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok
    const shown = error instanceof CommanderError ? usageError(error, program, words) : await explained(error)
    reportError(io, shown, json, dataDirOf(argv))
    return exitCodeOf(shown)
  }
}

async function build(argv: readonly string[], io: Io): Promise<Command> {
  const program = new Command('quorate')
  program
    .description('Clusters that form by themselves: discovery, signed identities, election, replicated config.')
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText('after', `${EXAMPLE}\n${EXIT_CODES_HELP}`)
    .showSuggestionAfterError()
    // What stands behind a command's name is the command's: `config get --json` is for get.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      // Errors are ours to tell.
      writeErr: () => {},
      outputError: () => {}
    })
  if (argv.length === 0) program.action(() => program.outputHelp())
  const chosen = chosenName(argv)
  for (const { name, summary, load } of COMMANDS) {
    const command = program.command(name).description(sentence(summary)).summary(summary)
    if (name !== chosen) continue
    command.option('--json', 'machine-readable output')
    const { define } = await load()
    define(command, io)
  }
  return program
}

/** As the command was given it, for the commands that it names in turn. */
function dataDirOf(argv: readonly string[]): string | undefined {
  const at = argv.lastIndexOf('--data')
  const [joined] = argv.filter((word) => word.startsWith('--data=')).slice(-1)
  return at === -1 ? joined?.slice('--data='.length) : argv[at + 1]
}

const isWord = (text: string): boolean => !text.startsWith('-')

/** The first word that is not an option. */
const chosenName = (argv: readonly string[]): string | undefined => argv.find(isWord)

/** `help config get` is `config get --help`. */
function withoutHelpCommand(argv: readonly string[]): readonly string[] {
  const at = argv.findIndex(isWord)
  return argv[at] === 'help' ? [...argv.toSpliced(at, 1), '--help'] : argv
}

/** Commander shows the help of what stands above an unknown command; without the question for help it says that it is unknown. */
function requireKnown(program: Command, argv: readonly string[]): readonly string[] {
  let command = program
  for (const word of argv.filter(isWord)) {
    if (command.commands.length === 0) return argv
    const next = command.commands.find((known) => known.name() === word)
    if (next === undefined) return argv.filter((text) => text !== '--help' && text !== '-h')
    command = next
  }
  return argv
}

const sentence = (summary: string): string => `${summary[0]!.toUpperCase()}${summary.slice(1)}.`

/** Commander's text is "error: … (Did you mean …?)"; of a command that only holds others, it would show the help instead. */
function usageError(error: CommanderError, program: Command | undefined, argv: readonly string[]): UsageError {
  if (error.code === 'commander.help') {
    const name = chosenName(argv)
    const commands = program?.commands.find((command) => command.name() === name)?.commands ?? []
    return new UsageError(
      `quorate ${name} is not a command by itself: which of ${commands.map((command) => command.name()).join(', ')}?`,
      `Run quorate ${name} --help to see what each does.`
    )
  }
  return new UsageError(error.message.replace(/^error: /, '').replaceAll('\n', ' '))
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
