/** The `next` of a middleware that is called by itself, outside a chain. */
export async function noopNext(): Promise<void> {}
