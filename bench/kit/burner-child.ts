/** Keeps a core busy until its parent goes. */
const SPIN_MS = 20

process.once('disconnect', () => process.exit())
spin()

function spin(): void {
  for (const end = performance.now() + SPIN_MS; performance.now() < end;);
  setImmediate(spin)
}
