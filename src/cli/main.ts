/** The entry point of the `quorate` command: this process' own streams and signals around `run`. */
import { processIo } from './io.ts'
import { run } from './program.ts'

async function main(): Promise<never> {
  const code = await run(process.argv.slice(2), processIo())
  // Exits even when something (a socket in its last state, a timer) would keep the loop alive; what was written goes out first.
  await Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve)))
  )
  process.exit(code)
}

void main()
