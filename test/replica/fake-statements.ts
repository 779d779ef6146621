/** Boot statements whose signature is arithmetic: JSON, its hash, and a mark that says who made it. */
import { fromUtf8, toHex, utf8 } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/core/hash.ts'
import type { BootStatement } from '../../src/identity/boot-statement.ts'
import type { StatementCodec } from '../../src/replica/boot-watch.ts'

type Content = Omit<BootStatement, 'id' | 'bytes'>

interface Life {
  readonly peerId: string
  readonly storeId: string
  readonly boot: number
  readonly bootNonce: string
}

const MARK = ' signed'

export function makeStatement(content: Content): BootStatement {
  const text = JSON.stringify(content)
  return { ...content, id: toHex(sha256(utf8(text))), bytes: utf8(text + MARK) }
}

/** The same content, without its owner's signature. */
export function forgeStatement(content: Content): BootStatement {
  const statement = makeStatement(content)
  return { ...statement, bytes: utf8(fromUtf8(statement.bytes).replace(MARK, ' forged')) }
}

export function fakeStatements(life: Life): StatementCodec {
  return {
    decode(bytes) {
      const [, text] = /^(\{.*\}) (?:signed|forged)$/.exec(fromUtf8(bytes)) ?? []
      if (text === undefined) return undefined
      const { votedFor, seen, ...content } = JSON.parse(text) as Content
      return { ...makeStatement({ ...content, votedFor, seen }), id: toHex(sha256(utf8(text))), bytes }
    },
    isGenuine: ({ bytes }) => fromUtf8(bytes).endsWith(MARK),
    toSign: (own) => utf8(JSON.stringify({ ...life, ...own })),
    seal: (own) => makeStatement({ ...life, ...own }).bytes
  }
}
