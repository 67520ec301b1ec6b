/** Names a pool. */
export interface PoolAddress {
	readonly namespace: string;
	readonly pool: string;
}

export function isSamePool(one: PoolAddress, { namespace, pool }: PoolAddress): boolean {
	return one.pool === pool && one.namespace === namespace;
}
