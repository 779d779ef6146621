/** JSON Merge Patch (RFC 7396): null removes a member, an object reaches inside, anything else replaces. */
import { canonicalJson } from '../core/json.ts'
import type { JsonObject, JsonValue } from '../core/json.ts'

/**
 * The patched value; neither argument is changed. A patch cannot set a member to null or change part of an array: the RFC
 * has no way to say so. Throws NotJsonError when `patch` is not JSON or too deep.
 */
export function mergePatch(target: JsonValue | undefined, patch: JsonValue): JsonValue {
  canonicalJson(patch)
  return merge(target, patch)
}

function merge(target: JsonValue | undefined, patch: JsonValue): JsonValue {
  if (!isObject(patch)) return patch
  // Entries, not assignment: a member called `__proto__` is a member like any other.
  const members = new Map(isObject(target) ? Object.entries(target) : [])
  for (const [name, change] of Object.entries(patch)) {
    if (change === null) members.delete(name)
    else members.set(name, merge(members.get(name), change))
  }
  return Object.fromEntries(members)
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
