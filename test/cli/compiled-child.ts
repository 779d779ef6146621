/**
 * A life of the command made of the parts in the folder that is its first argument: loads `main.js`, then does what the other words
 * say. Started by compiled.test.ts, because compiled code is kept for another process.
 */
import { readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { compiledFolder } from '../../src/cli/compiled-folder.ts'
import { keepCompiled, keepLater, load } from '../../src/cli/compiled.ts'

const [folder, ...words] = process.argv.slice(2)

try {
  const { answer } = load('main.js', folder!) as { readonly answer: () => unknown }
  process.stdout.write(JSON.stringify(answer()))
  for (const word of words) {
    if (word === 'flags') setFlagsFromString('--no-flush-bytecode')
    else if (word === 'settle') keepLater()
    else if (word === 'age') age()
    else Array.from(keepCompiled(usual))
  }
} catch (error) {
  process.stdout.write(JSON.stringify(String(error)))
}

function usual<T>(make: () => T): T {
  setFlagsFromString('--flush-bytecode')
  return make()
}

/** As where nobody notes that a file is read. */
function age(): void {
  const kept = compiledFolder()!
  for (const name of readdirSync(kept)) utimesSync(join(kept, name), 0, 0)
}
