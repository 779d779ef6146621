/** The first of some consecutive ports: below those that Linux gives to whoever asks for any. */
export const portsFrom = (): number => 20_000 + Math.floor(Math.random() * 12_000)
