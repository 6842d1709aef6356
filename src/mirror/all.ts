/**
 * Waits for all of them, also when one fails: nothing may be under way any more then.
 * @throws what the first one in the list that failed did
 */
export async function all(work: readonly Promise<unknown>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find(result => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
