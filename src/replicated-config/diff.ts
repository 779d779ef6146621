/** What changed between two values, for people and for drift reports. */
import { compareText } from '../core/bytes.ts'
import { canonicalJson } from '../core/json.ts'
import type { JsonObject, JsonValue } from '../core/json.ts'

export type ConfigChange =
  | { readonly type: 'add'; readonly pointer: string; readonly after: JsonValue }
  | { readonly type: 'remove'; readonly pointer: string; readonly before: JsonValue }
  | { readonly type: 'replace'; readonly pointer: string; readonly before: JsonValue; readonly after: JsonValue }

/**
 * The changes that turn `before` into `after`, in an order in which they can be applied one after the other (they are a JSON
 * Patch, RFC 6902, with other words). Members are sorted; arrays are compared place by place, so that an insertion at the
 * front shows as a change of every place behind it. Both values must be JSON.
 */
export function diffConfig(before: JsonValue, after: JsonValue): readonly ConfigChange[] {
  return changesAt('', before, after)
}

/** One reference token of a JSON Pointer (RFC 6901). */
export const pointerToken = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')

function changesAt(pointer: string, before: JsonValue, after: JsonValue): ConfigChange[] {
  if (isArray(before) && isArray(after)) return changesOfArray(pointer, before, after)
  if (isObject(before) && isObject(after)) return changesOfObject(pointer, before, after)
  return canonicalJson(before) === canonicalJson(after) ? [] : [{ type: 'replace', pointer, before, after }]
}

function changesOfObject(pointer: string, before: JsonObject, after: JsonObject): ConfigChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted(compareText)
  return names.flatMap((name): ConfigChange[] => {
    const at = `${pointer}/${pointerToken(name)}`
    if (!Object.hasOwn(after, name)) return [{ type: 'remove', pointer: at, before: before[name]! }]
    if (!Object.hasOwn(before, name)) return [{ type: 'add', pointer: at, after: after[name]! }]
    return changesAt(at, before[name]!, after[name]!)
  })
}

function changesOfArray(pointer: string, before: readonly JsonValue[], after: readonly JsonValue[]): ConfigChange[] {
  const shared = Math.min(before.length, after.length)
  const changes: ConfigChange[] = []
  for (let i = 0; i < shared; i++) changes.push(...changesAt(`${pointer}/${i}`, before[i]!, after[i]!))
  // From the end, so that each pointer still holds when its turn comes.
  for (let i = before.length - 1; i >= shared; i--) {
    changes.push({ type: 'remove', pointer: `${pointer}/${i}`, before: before[i]! })
  }
  for (let i = shared; i < after.length; i++)
    changes.push({ type: 'add', pointer: `${pointer}/${i}`, after: after[i]! })
  return changes
}

const isArray = (value: JsonValue): value is readonly JsonValue[] => Array.isArray(value)

const isObject = (value: JsonValue): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
