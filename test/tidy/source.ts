/**
 * Reads a TypeScript file just far enough for the house rules: where are comments, strings and regular expressions, what is
 * imported. No parser is needed for that, and none can go out of step with the compiler.
 */
export interface Import {
  readonly specifier: string
  readonly line: number
  /** `import type` or `export type`: leaves nothing at run time. */
  readonly typeOnly: boolean
}

export interface Source {
  /** Relative to the project, with forward slashes. */
  readonly path: string
  readonly text: string
  /** The text with the insides of comments, strings and regular expressions blanked; same length, same lines. */
  readonly code: string
  readonly imports: readonly Import[]
}

export function readSource(path: string, text: string): Source {
  const code = blank(text)
  return { path, text, code, imports: findImports(text, code) }
}

export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split('\n').length

const IMPORTS =
  /(?<![.\w$#])(?:(import|export)(\s+type(?=\s*[{*\w])(?!\s+from\b))?(?:\s+|(?=[{*]))[\w\s{},*$]*?\bfrom\s*|import\s*\(\s*|import\s*)(?=['"`])/g

function findImports(text: string, code: string): Import[] {
  return [...code.matchAll(IMPORTS)].map((match) => {
    const start = match.index + match[0].length
    const end = text.indexOf(text[start]!, start + 1)
    return { specifier: text.slice(start + 1, end), line: lineAt(text, match.index), typeOnly: match[2] !== undefined }
  })
}

/** After these a slash begins a regular expression, not a division. */
const BEFORE_REGEXP = /(?:^|[([{,;=:!&|?+\-*%~^<>]|\b(?:return|typeof|case|in|of|do|else|void|yield|await))\s*$/

/** Walks the text once. A template's `${…}` is code again, at any depth. */
function blank(text: string): string {
  const out = text.split('')
  /** For each open template: how many braces are open inside its current `${`. */
  const templates: number[] = []
  let at = 0

  const hide = (from: number, to: number): void => {
    for (let i = from; i < to; i++) if (out[i] !== '\n') out[i] = ' '
    at = to
  }
  const end = (found: number, length: number): number => (found < 0 ? text.length : found + length)
  const template = (): void => {
    const from = at
    while (at < text.length && text[at] !== '`' && !text.startsWith('${', at)) at += text[at] === '\\' ? 2 : 1
    hide(from, Math.min(at, text.length))
    if (text[at] === '`') {
      templates.pop()
      at += 1
    } else at += 2
  }

  while (at < text.length) {
    const char = text[at]!
    if (text.startsWith('//', at)) hide(at, end(text.indexOf('\n', at), 0))
    else if (text.startsWith('/*', at)) hide(at, end(text.indexOf('*/', at + 2), 2))
    else if (char === "'" || char === '"') {
      const close = skip(text, at, char)
      hide(at + 1, close)
      at = close + 1
    } else if (char === '/' && BEFORE_REGEXP.test(out.slice(Math.max(0, at - 40), at).join(''))) {
      const close = skip(text, at, '/')
      hide(at + 1, close)
      at = close + 1
    } else if (char === '`') {
      templates.push(0)
      at += 1
      template()
    } else if (templates.length > 0 && char === '}' && templates.at(-1) === 0) {
      at += 1
      template()
    } else {
      if (templates.length > 0 && char === '{') templates[templates.length - 1]! += 1
      if (templates.length > 0 && char === '}') templates[templates.length - 1]! -= 1
      at += 1
    }
  }
  return out.join('')
}

/** The index of the closing delimiter; a class `[…]` of a regular expression may hold a slash. */
function skip(text: string, open: number, delimiter: string): number {
  let inClass = false
  for (let i = open + 1; i < text.length; i++) {
    const char = text[i]!
    if (char === '\\') i += 1
    else if (char === '\n') return i
    else if (delimiter === '/' && char === '[') inClass = true
    else if (delimiter === '/' && char === ']') inClass = false
    else if (char === delimiter && !inClass) return i
  }
  return text.length
}
