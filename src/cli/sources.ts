/** Where the values of options come from: the text itself, a file, or standard input. */
import { readFile } from 'node:fs/promises'
import { messageOf } from '../core/errors.ts'
import type { JsonValue } from '../core/json.ts'
import { UnreadableFileError, UsageError } from './cli-errors.ts'
import { type Io, readAll } from './io.ts'

const STDIN = '-'

/** The bytes of a file, or of stdin for `-`. */
export async function readSource(io: Io, path: string, what: string): Promise<Buffer> {
  if (path === STDIN) return readAll(io.stdin)
  try {
    return await readFile(path)
  } catch (error) {
    throw new UnreadableFileError(path, what, error as NodeJS.ErrnoException)
  }
}

/** JSON text, `@FILE`, or `-` for stdin. */
export async function readJsonArgument(io: Io, argument: string): Promise<JsonValue> {
  if (argument === STDIN) return parseJson((await readAll(io.stdin)).toString(), 'standard input')
  if (argument.startsWith('@')) return readJsonFile(io, argument.slice(1))
  return parseJson(argument, 'the argument')
}

export async function readJsonFile(io: Io, path: string): Promise<JsonValue> {
  return parseJson((await readSource(io, path, 'the JSON file')).toString(), path)
}

function parseJson(text: string, what: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch (error) {
    throw new UsageError(`${what} is not JSON: ${messageOf(error)}`, 'Pass JSON text, @FILE, or - for standard input.')
  }
}
