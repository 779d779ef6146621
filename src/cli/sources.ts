/** Where the values of options and arguments come from: a file, standard input, or the text itself. */
import { readFile } from 'node:fs/promises'
import { messageOf } from '../core/errors.ts'
import type { JsonValue } from '../core/json.ts'
import { parseJsonText } from '../core/json-text.ts'
import { UnreadableFileError, UsageError } from './cli-errors.ts'
import { type Io, readAll } from './io.ts'

/** As the name of a file: standard input. */
export const STDIN = '-'

/** The bytes of a file, or of stdin for `-`. */
export async function readSource(io: Io, path: string, what: string): Promise<Buffer> {
  if (path === STDIN) return readAll(io.stdin)
  try {
    return await readFile(path)
  } catch (error) {
    throw new UnreadableFileError(path, what, error as NodeJS.ErrnoException)
  }
}

/** A file, or `-` for stdin; also the JSON text itself, where no file has that name. */
export async function readJsonArgument(io: Io, argument: string): Promise<JsonValue> {
  try {
    return await readJsonFile(io, argument)
  } catch (error) {
    if (!(error instanceof UnreadableFileError) || !isNoFile(error.cause)) throw error
    // What was meant as JSON is known by how it begins; the rest is a name that was mistyped.
    if (!/^\s*["{[\d-]|^\s*(?:true|false|null)\s*$/.test(argument)) throw error
    return parseJson(argument, 'the argument')
  }
}

export async function readJsonFile(io: Io, path: string): Promise<JsonValue> {
  const text = (await readSource(io, path, 'the JSON file')).toString()
  return parseJson(text, path === STDIN ? 'standard input' : path)
}

/** A long text is no possible name. */
const isNoFile = (cause: unknown): boolean =>
  ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes((cause as NodeJS.ErrnoException).code ?? '')

function parseJson(text: string, what: string): JsonValue {
  try {
    return parseJsonText(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new UsageError(`${what} is not JSON: ${messageOf(error)}`, 'Pass a file, - for standard input, or JSON text.')
  }
}
