/**
 * Asks once for each key, whoever needs the answer: later ones get what the first one is waiting for.
 * A failure is remembered as well.
 */
export function once<K, V>(known: Map<K, Promise<V>>, key: K, ask: () => Promise<V>): Promise<V> {
  let asked = known.get(key);
  if (asked === undefined) {
    asked = ask();
    known.set(key, asked);
  }
  return asked;
}
