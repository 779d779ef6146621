/** What an issuer does once, before any node starts: a genesis, and a founding token for each seat. */
import { createGenesis, createToken, generateLocalKey } from '../../src/index.ts'

export async function mintTokens(size: number): Promise<readonly string[]> {
  const issuer = generateLocalKey().signer
  const genesis = await createGenesis({ name: 'bench', foundingSize: size, createdAtMs: Date.now() }, [issuer])
  const tokens: string[] = []
  for (let seat = 1; seat <= size; seat++) {
    const { text } = await createToken(genesis, [issuer], { grant: { kind: 'founding', seat } })
    tokens.push(new TextDecoder().decode(text.reveal()))
  }
  return tokens
}
